//! Child processes that are measured, and what the kernel says of them.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::process::{Child, Command};

use crate::load::{self, Shot};

/// A child that is killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) addr: SocketAddr,
    /// From start to the first 200 of the readiness path.
    pub(crate) ready_after: Duration,
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

impl Server {
    /// Starts `program` and waits until `ready_path` answers 200 on `port`.
    pub(crate) async fn start(
        program: &Path,
        args: &[&str],
        settings: &[(&str, String)],
        port: u16,
        ready_path: &str,
    ) -> anyhow::Result<Self> {
        let started = Instant::now();
        let child = Command::new(program)
            .args(args)
            .envs(settings.iter().map(|(name, value)| (*name, value.as_str())))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut server = Self { child, addr, ready_after: Duration::ZERO };
        server.wait_until_ready(ready_path, started).await?;
        server.ready_after = started.elapsed();
        Ok(server)
    }

    async fn wait_until_ready(&mut self, path: &str, started: Instant) -> anyhow::Result<()> {
        let shot = Shot::get(path);
        while started.elapsed() < Duration::from_secs(30) {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended with {status} before it was ready");
            }
            if let Ok(mut sender) = load::connect(self.addr).await
                && load::send(&mut sender, &shot).await.is_ok()
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        bail!("not ready within 30 s on {}", self.addr)
    }

    /// Resident memory in MiB.
    pub(crate) fn resident_mib(&self) -> anyhow::Result<f64> {
        self.memory("VmRSS:")
    }

    /// The most that was ever resident, in MiB.
    pub(crate) fn peak_mib(&self) -> anyhow::Result<f64> {
        self.memory("VmHWM:")
    }

    /// Lets [`Self::peak_mib`] begin again with what is resident now.
    pub(crate) fn forget_peak(&self) -> anyhow::Result<()> {
        let pid = self.child.id().context("the server has ended")?;
        // 5: reset the peak, see proc_pid_clear_refs(5).
        std::fs::write(format!("/proc/{pid}/clear_refs"), "5").context("reset the peak of the memory")
    }

    /// Seconds of a core that it has used.
    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        cpu_seconds(self.child.id().context("the server has ended")?)
    }

    fn memory(&self, field: &str) -> anyhow::Result<f64> {
        let pid = self.child.id().context("the server has ended")?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find(|line| line.starts_with(field)).context("no such figure")?;
        let kib: f64 = line.split_whitespace().nth(1).context("no figure")?.parse()?;
        Ok(kib / 1024.0)
    }

    /// Descriptors that it has open.
    pub(crate) fn descriptors(&self) -> anyhow::Result<usize> {
        let pid = self.child.id().context("the server has ended")?;
        Ok(std::fs::read_dir(format!("/proc/{pid}/fd"))?.count())
    }

    /// Ends it and waits until it is gone.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.child.kill().await?;
        Ok(())
    }
}

/// Seconds of a core that a process has used.
pub(crate) fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    /// Linux tells programs the time in these, whatever its own clock ticks in: see proc_pid_stat(5).
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name of the program, in parentheses, may contain spaces.
    let (_, fields) = stat.rsplit_once(')').context("no such figure")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |index: usize| anyhow::Ok(fields.get(index).context("no figure")?.parse::<f64>()?);
    Ok((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}
