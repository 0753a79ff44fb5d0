//! A private PostgreSQL: a cluster of its own in a temporary folder, on a Unix socket, without durability.

use std::fs::File;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use tokio::sync::{Mutex, OnceCell};

use crate::process::{Server, is_root, run};
use crate::wait;

/// Names the URL of a running server that all test processes share. It must be allowed to create databases.
pub const URL_VARIABLE: &str = "SYFTHUB_TEST_POSTGRES_URL";

/// A PostgreSQL server for tests. A clone is the same server; it ends with the test process.
#[derive(Debug, Clone)]
pub struct PostgresServer {
    admin_url: String,
    private: Option<Arc<Cluster>>,
}

#[derive(Debug)]
struct Cluster {
    folder: PathBuf,
    settings: &'static [&'static str],
    server: Mutex<Option<Server>>,
}

static SHARED: OnceCell<PostgresServer> = OnceCell::const_new();

/// The server of this test process: the one that [`URL_VARIABLE`] names, else a private one started at the
/// first call.
pub async fn shared() -> PostgresServer {
    SHARED
        .get_or_init(async || {
            #[expect(clippy::disallowed_methods, reason = "the one setting of the tests themselves")]
            match std::env::var(URL_VARIABLE) {
                Ok(url) if !url.is_empty() => PostgresServer { admin_url: url, private: None },
                _ => private().await,
            }
        })
        .await
        .clone()
}

/// Waits until a statement on the database at `url` waits for the lock of another.
pub async fn somebody_waits(url: &str) {
    const SQL: &str = "SELECT COUNT(*) FROM pg_stat_activity \
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let options: PgConnectOptions = url.parse().expect("not a PostgreSQL URL");
    let mut connection = options.connect().await.expect("the test server does not answer");
    let deadline = tokio::time::Instant::now() + wait::PATIENCE;
    while sqlx::query_scalar::<_, i64>(SQL).fetch_one(&mut connection).await.expect("cannot ask") == 0 {
        assert!(tokio::time::Instant::now() < deadline, "no statement waited for a lock");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    connection.close().await.expect("cannot leave the test server");
}

/// A server of one's own, for tests that stop it or look at all its connections.
pub async fn private() -> PostgresServer {
    start_cluster(FORGETFUL).await
}

/// The same, but what it confirms is on the disk, with the memory of a small production server: for measuring.
pub async fn durable() -> PostgresServer {
    start_cluster(DURABLE).await
}

async fn start_cluster(settings: &'static [&'static str]) -> PostgresServer {
    let folder = tokio::task::spawn_blocking(new_cluster).await.expect("creating a cluster panicked");
    let server = PostgresServer {
        admin_url: format!("postgres://postgres@localhost/postgres?host={}", folder.display()),
        private: Some(Arc::new(Cluster { folder, settings, server: Mutex::new(None) })),
    };
    server.start().await;
    server
}

impl PostgresServer {
    /// URL of the database `postgres`, for creating others.
    pub fn admin_url(&self) -> &str {
        &self.admin_url
    }

    /// Creates an empty database and gives its URL.
    pub async fn fresh_database(&self) -> String {
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        let mut connection = self.options().connect().await.expect("the test server does not answer");
        connection
            .execute(AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .await
            .expect("the test server cannot create a database");
        connection.close().await.expect("cannot leave the test server");
        self.url_of(&name)
    }

    fn url_of(&self, database: &str) -> String {
        let (address, options) = self.admin_url.split_once('?').unwrap_or((&self.admin_url, ""));
        let base = address.rsplit_once('/').map_or(address, |(base, _)| base);
        let separator = if options.is_empty() { "" } else { "?" };
        format!("{base}/{database}{separator}{options}")
    }

    fn options(&self) -> PgConnectOptions {
        self.admin_url.parse().expect("not a PostgreSQL URL")
    }

    /// Starts a private server that was stopped, and waits until it answers.
    pub async fn start(&self) {
        let cluster = self.private.as_ref().expect("only a private server can be started");
        *cluster.server.lock().await =
            Some(Server::start(&cluster.folder, &server_command(&cluster.folder, cluster.settings)));
        wait::until(async || self.options().connect().await.is_ok(), "PostgreSQL to start").await;
    }

    /// Stops a private server; its connections break.
    pub async fn stop(&self) {
        let cluster = self.private.as_ref().expect("only a private server can be stopped");
        if let Some(server) = cluster.server.lock().await.take() {
            server.stop().await;
        }
    }
}

/// A crash of the machine may lose everything, which tests do not mind.
const FORGETFUL: &[&str] = &[
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "shared_buffers=32MB",
    "max_wal_size=256MB",
];
const DURABLE: &[&str] = &["shared_buffers=512MB", "max_wal_size=2GB"];

fn server_command(folder: &Path, settings: &[&str]) -> Vec<String> {
    let mut command = as_user();
    command.push(programs().join("postgres").display().to_string());
    command.extend(["-D".to_owned(), folder.join("data").display().to_string()]);
    let socket = format!("unix_socket_directories={}", folder.display());
    for setting in ["listen_addresses=", &socket, "max_connections=200"].iter().chain(settings) {
        command.extend(["-c".to_owned(), (*setting).to_owned()]);
    }
    command
}

/// A folder with a new cluster in it. `initdb` takes seconds, so its result is kept and copied.
fn new_cluster() -> PathBuf {
    let folder = own_folder();
    let template = template();
    run(Command::new("cp").arg("-a").arg(template).arg(folder.join("data")));
    folder
}

fn own_folder() -> PathBuf {
    // Not in TMPDIR: the path of a Unix socket must be short.
    let folder = tempfile::Builder::new()
        .prefix("syfthub-pg-")
        .permissions(std::fs::Permissions::from_mode(0o755))
        .tempdir_in("/tmp")
        .expect("cannot create a folder in /tmp")
        .keep();
    if is_root() {
        chown(&folder, Some(id("-u")), Some(id("-g"))).expect("cannot give the folder to the database user");
    }
    folder
}

/// The cluster that is copied, made under a lock by whichever test process comes first.
fn template() -> PathBuf {
    let programs = programs();
    let version = run(Command::new(programs.join("postgres")).arg("--version"));
    let version: String = version.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let user = if is_root() { id("-u").to_string() } else { "own".to_owned() };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/test-postgres");
    std::fs::create_dir_all(&root).expect("cannot create target/test-postgres");
    let lock = File::create(root.join("lock")).expect("cannot create a lock file in target");
    lock.lock().expect("cannot lock target/test-postgres");
    let template = root.join(format!("{version}-{user}"));
    if !template.exists() {
        let folder = own_folder();
        let data = folder.join("data");
        let mut command = as_user();
        command.push(programs.join("initdb").display().to_string());
        let (program, arguments) = command.split_first().expect("a command has a program");
        run(Command::new(program)
            .args(arguments)
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8"])
            .args(["--no-sync", "--wal-segsize=1", "-D"])
            .arg(&data)
            .current_dir("/"));
        // Renamed at the end, so that a copy that was cut short is never taken for a template.
        let unfinished = root.join("unfinished");
        run(Command::new("rm").arg("-rf").arg(&unfinished));
        run(Command::new("cp").arg("-a").arg(&data).arg(&unfinished));
        std::fs::rename(&unfinished, &template).expect("cannot keep the new cluster");
        run(Command::new("rm").arg("-rf").arg(&folder));
    }
    template
}

/// The prefix that runs a command as an ordinary user when this process is root.
fn as_user() -> Vec<String> {
    if !is_root() {
        return Vec::new();
    }
    let user = database_user();
    ["setpriv", &format!("--reuid={user}"), &format!("--regid={}", id("-g")), "--clear-groups", "--"]
        .map(str::to_owned)
        .to_vec()
}

fn database_user() -> &'static str {
    let known = Command::new("id").arg("postgres").output().is_ok_and(|done| done.status.success());
    if known { "postgres" } else { "nobody" }
}

fn id(which: &str) -> u32 {
    run(Command::new("id").args([which, database_user()])).parse().expect("id gives a number")
}

/// Where PostgreSQL's programs are: the newest of Debian's versions, else wherever PATH has them.
fn programs() -> PathBuf {
    let newest = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|programs| programs.join("initdb").exists() && programs.join("postgres").exists())
        .max_by_key(|programs| version_of(programs));
    #[expect(clippy::disallowed_methods, reason = "looking for a program in PATH")]
    newest
        .or_else(|| {
            let path = std::env::var_os("PATH")?;
            std::env::split_paths(&path).find(|folder| folder.join("initdb").exists())
        })
        .unwrap_or_else(|| {
            panic!("PostgreSQL is not installed: run `apt-get install postgresql`, or set {URL_VARIABLE}")
        })
}

fn version_of(programs: &Path) -> u32 {
    let name = programs.parent().and_then(Path::file_name).and_then(std::ffi::OsStr::to_str);
    name.and_then(|name| name.parse().ok()).unwrap_or(0)
}
