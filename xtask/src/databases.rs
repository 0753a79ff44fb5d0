//! A private PostgreSQL and a private Redis, each in a temporary folder and on a free port.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::process::{Service, free_port};
use crate::{interrupt, provision, workspace};

const START: Duration = Duration::from_mins(1);

/// PostgreSQL for tests: nothing is synced to disk, everyone on loopback may enter.
pub(crate) struct Postgres {
    service: Service,
    port: u16,
    // Dropped last: the server writes to it while it ends.
    _folder: TempDir,
}

impl Postgres {
    /// Makes a cluster and starts it, never as root.
    pub(crate) fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("syfthub-pg-").tempdir()?;
        let owner = owner()?;
        if let Some((uid, gid)) = owner {
            chown(folder.path(), Some(uid), Some(gid))?;
        }
        let data = folder.path().join("data");
        let mut initdb = Command::new(provision::path_of("initdb")?);
        initdb.arg("--pgdata").arg(&data).args(["--username=postgres", "--auth=trust", "--encoding=UTF8"]);
        initdb.args(["--locale=C.UTF-8", "--no-sync"]).current_dir(folder.path()).stdout(Stdio::null());
        as_user(&mut initdb, owner);
        workspace::run(&mut initdb)?;

        let port = free_port()?;
        let mut server = Command::new(provision::path_of("postgres")?);
        server.arg("-D").arg(&data).arg("-k").arg(folder.path()).arg("-p").arg(port.to_string());
        for setting in [
            "listen_addresses=127.0.0.1",
            "fsync=off",
            "full_page_writes=off",
            "synchronous_commit=off",
            "max_connections=400",
        ] {
            server.arg("-c").arg(setting);
        }
        server.current_dir(folder.path());
        as_user(&mut server, owner);
        let mut service = Service::start("postgres", server, folder.path())?;
        service.wait_at(port, START, || psql(port, "postgres", "SELECT 1").is_ok())?;
        Ok(Self { service, port, _folder: folder })
    }

    /// The URL of one of its databases.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Its port on the loopback address.
    #[cfg(test)]
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Makes an empty database.
    pub(crate) fn create(&self, database: &str) -> Result<()> {
        self.query("postgres", &format!("CREATE DATABASE {database}")).map(|_| ())
    }

    /// Runs one statement from outside the product; rows come as lines.
    pub(crate) fn query(&self, database: &str, sql: &str) -> Result<String> {
        psql(self.port, database, sql)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // "Fast shutdown": sessions that are left do not hold it up.
        self.service.stop_with(Signal::INT);
    }
}

/// Runs a command with a PostgreSQL that ends with it; tells whether it succeeded.
pub(crate) fn lend(words: &[String]) -> Result<bool> {
    let postgres = Postgres::start()?;
    let (program, arguments) = words.split_first().context("no command")?;
    let mut command = Command::new(program);
    command.args(arguments).env("SYFTHUB_TEST_POSTGRES_URL", postgres.url("postgres")).stdin(Stdio::null());
    let status = interrupt::Waited::start(&mut command)?.wait()?;
    interrupt::check()?;
    Ok(status.success())
}

fn psql(port: u16, database: &str, sql: &str) -> Result<String> {
    let mut command = Command::new(provision::path_of("psql")?);
    command.args(["-X", "-q", "-A", "-t", "-h", "127.0.0.1", "-U", "postgres", "-p"]);
    command.arg(port.to_string()).args(["-d", database, "-c", sql]);
    workspace::read(&mut command)
}

/// PostgreSQL refuses to run as root: then it gets the account of its own package, or nobody's.
fn owner() -> Result<Option<(u32, u32)>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let accounts = fs::read_to_string("/etc/passwd")?;
    let ids = ["postgres", "nobody"].iter().find_map(|name| account(&accounts, name));
    Ok(Some(ids.context("neither an account postgres nor nobody exists")?))
}

fn account(accounts: &str, name: &str) -> Option<(u32, u32)> {
    let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

fn as_user(command: &mut Command, ids: Option<(u32, u32)>) {
    if let Some((uid, gid)) = ids {
        command.uid(uid).gid(gid);
    }
}

/// Redis that keeps nothing.
pub(crate) struct Redis {
    service: Service,
    port: u16,
    password: String,
    folder: TempDir,
}

impl Redis {
    /// Starts one that wants a password.
    pub(crate) fn start(password: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("syfthub-redis-").tempdir()?;
        let port = free_port()?;
        let service = launch(folder.path(), port, password)?;
        Ok(Self { service, port, password: password.to_owned(), folder })
    }

    /// Its URL with the password.
    pub(crate) fn url(&self) -> String {
        format!("redis://:{}@127.0.0.1:{}/0", self.password, self.port)
    }

    /// Ends it without a goodbye.
    pub(crate) fn kill(&mut self) {
        self.service.kill();
    }

    /// Starts it again, empty, at the same address.
    pub(crate) fn restart(&mut self) -> Result<()> {
        self.service = launch(self.folder.path(), self.port, &self.password)?;
        Ok(())
    }
}

fn launch(folder: &Path, port: u16, password: &str) -> Result<Service> {
    let mut command = Command::new(provision::path_of("redis-server")?);
    command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--requirepass", password]);
    command.arg("--port").arg(port.to_string()).arg("--dir").arg(folder).current_dir(folder);
    let mut service = Service::start("redis", command, folder)?;
    service.wait_at(port, START, || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok())?;
    Ok(service)
}

/// Random bytes as hexadecimal text, for secrets of a stack that lives for minutes.
pub(crate) fn random_hex(bytes: usize) -> Result<String> {
    use std::fmt::Write as _;
    use std::io::Read as _;

    let mut buffer = vec![0_u8; bytes];
    fs::File::open("/dev/urandom")?.read_exact(&mut buffer)?;
    ensure!(buffer.iter().any(|byte| *byte != 0), "the random source gave nothing");
    let mut text = String::with_capacity(bytes * 2);
    for byte in buffer {
        write!(text, "{byte:02x}")?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_read_from_the_password_file() {
        let text = "root:x:0:0:root:/root:/bin/bash\npostgres:x:101:103::/var/lib/postgresql:/bin/bash\n";
        assert_eq!(account(text, "postgres"), Some((101, 103)));
        assert_eq!(account(text, "post"), None);
    }

    #[test]
    fn random_text_has_its_length_and_differs() {
        let (a, b) = (random_hex(16).unwrap(), random_hex(16).unwrap());
        assert_eq!(a.len(), 32);
        assert_ne!(a, b);
    }
}
