//! Answers that stream: thousands at once at 20 tokens a second, through the aggregator as a service of its own and,
//! to know what the stubs and the readers take of the same cores, without it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::Plan;
use super::services::Services;
use crate::process::{self, Server};
use crate::report::Report;
use crate::stubs::PERIOD;

/// Streams that are opened in a second.
const OPENED: u32 = 1_000;

/// Both sizes through the hub, and the larger one directly.
pub(super) async fn run(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let data = TempDir::new()?;
    let services = Services::start(plan, data.path()).await?;
    let stubs = plan.own(&["stubs"]).await?;
    let hub = services.aggregator.addr;
    let idle = services.aggregator.resident_mib()?;
    for (streams, is_goal) in [(2_000, true), (5_000, false)] {
        let direct = measure(plan, stubs.addr, &direct(), streams, &[&stubs]).await?;
        report.note(&format!("{streams} streams from the stubs alone"), direct.describe());
        let asked = chat(&stubs);
        let through = measure(plan, hub, &asked, streams, &[&stubs, &services.aggregator]).await?;
        report.note(&format!("{streams} streams through the aggregator"), through.describe());
        let each = (through.resident_mib[1] - idle) * 1024.0 / f64::from(streams);
        let row = |figure: &str| format!("{streams} streams: {figure}");
        if is_goal {
            report.at_most(&row("token jitter p99"), through.jitter_ms(0.99), 10.0, "ms");
        }
        report.at_least(&row("tokens that arrived"), through.arrived_percent(), 99.0);
        report.at_most(&row("memory of each"), each, 25.0, "KiB");
    }
    report.at_most("aggregator, most memory", services.aggregator.peak_mib()?, 200.0, "MiB");
    stubs.stop().await?;
    services.stop().await
}

fn chat(stubs: &Server) -> Vec<u8> {
    let url = format!("http://{}", stubs.addr);
    let model = json!({ "url": url, "slug": "model-stream", "owner_username": "bench" });
    post("/api/v1/chat/stream", &json!({ "prompt": "Talk", "model": model }).to_string())
}

fn direct() -> Vec<u8> {
    post("/api/v1/endpoints/model-stream/query", "{}")
}

fn post(path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

/// What came of some streams.
struct Streamed {
    streams: u32,
    /// How far the time between two tokens was from the period, in microseconds, sorted.
    jitter: Vec<u64>,
    seconds: f64,
    /// Of each process while the streams were open.
    resident_mib: Vec<f64>,
    /// Cores that the readers, and then each process, used.
    cores: Vec<f64>,
}

impl Streamed {
    fn jitter_ms(&self, q: f64) -> f64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index, rounded down")]
        let index = (self.jitter.len().saturating_sub(1) as f64 * q) as usize;
        self.jitter.get(index).copied().unwrap_or(u64::MAX) as f64 / 1_000.0
    }

    fn arrived_percent(&self) -> f64 {
        let expected = f64::from(self.streams) * self.seconds / PERIOD.as_secs_f64();
        100.0 * self.jitter.len() as f64 / expected
    }

    fn describe(&self) -> String {
        let cores: Vec<String> = self.cores.iter().map(|cores| format!("{cores:.2}")).collect();
        format!(
            "jitter p50 {:.1}, p99 {:.1} ms, cores {}",
            self.jitter_ms(0.5),
            self.jitter_ms(0.99),
            cores.join(" + ")
        )
    }
}

/// Opens `streams`, waits until all of them talk, and then looks at them for the length of the plan.
async fn measure(
    plan: &Plan,
    addr: SocketAddr,
    request: &[u8],
    streams: u32,
    processes: &[&Server],
) -> anyhow::Result<Streamed> {
    let request: Arc<[u8]> = request.into();
    let (begin, end) = (Arc::new(Barrier::new(streams as usize + 1)), plan.seconds);
    let mut readers = JoinSet::new();
    for number in 0..streams {
        let (request, begin) = (Arc::clone(&request), Arc::clone(&begin));
        readers.spawn(async move {
            tokio::time::sleep(Duration::from_secs(1) * number / OPENED).await;
            read(addr, &request, &begin, end).await
        });
    }
    begin.wait().await;
    let before = cpu(processes)?;
    let begun = Instant::now();
    tokio::time::sleep(end).await;
    let lasted = begun.elapsed().as_secs_f64();
    let resident_mib = processes.iter().map(|server| server.resident_mib()).collect::<anyhow::Result<_>>()?;
    let cores = cpu(processes)?.iter().zip(before).map(|(after, before)| (after - before) / lasted).collect();
    let mut jitter = Vec::new();
    while let Some(read) = readers.join_next().await {
        jitter.extend(read?.context("a stream")?);
    }
    jitter.sort_unstable();
    Ok(Streamed { streams, jitter, seconds: end.as_secs_f64(), resident_mib, cores })
}

/// Seconds of a core that this process and the others have used.
fn cpu(processes: &[&Server]) -> anyhow::Result<Vec<f64>> {
    let own = process::cpu_seconds(std::process::id())?;
    let theirs = processes.iter().map(|server| server.cpu_seconds());
    std::iter::once(Ok(own)).chain(theirs).collect()
}

/// Reads one stream until it has talked for `length` since all have begun; how far each token was from its time.
async fn read(
    addr: SocketAddr,
    request: &[u8],
    begin: &Barrier,
    length: Duration,
) -> anyhow::Result<Vec<u64>> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    stream.write_all(request).await?;
    let mut buffer = [0; 2048];
    next(&mut stream, &mut buffer).await?;
    {
        // Whoever waits for the others goes on reading, or it would fall behind.
        let mut wait = std::pin::pin!(begin.wait());
        loop {
            tokio::select! {
                _ = &mut wait => break,
                read = next(&mut stream, &mut buffer) => drop(read?),
            }
        }
    }
    next(&mut stream, &mut buffer).await?;
    let begun = Instant::now();
    let mut last = begun;
    let mut jitter = Vec::with_capacity(64);
    while begun.elapsed() < length {
        for _ in 0..next(&mut stream, &mut buffer).await? {
            let gap = last.elapsed();
            last = Instant::now();
            jitter.push(u64::try_from(gap.abs_diff(PERIOD).as_micros())?);
        }
    }
    Ok(jitter)
}

/// Reads until there is a token; how many there are.
async fn next(stream: &mut TcpStream, buffer: &mut [u8]) -> anyhow::Result<usize> {
    loop {
        let length = stream.read(buffer).await?;
        ensure!(length > 0, "it ended: {}", String::from_utf8_lossy(buffer));
        let tokens = buffer[..length].windows(7).filter(|seen| seen == b"token \"").count();
        if tokens > 0 {
            return Ok(tokens);
        }
    }
}
