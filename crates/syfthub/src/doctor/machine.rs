//! Checks of this machine: files, limits, database, Redis, port.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use syfthub_cache::Cache;
use syfthub_config::{DatabaseUrl, Redis, Settings};
use syfthub_store::Db;

use super::Finding;
use crate::serve::lock::DataDirLock;

/// Every file in the data directory that only its owner may read.
const PRIVATE_FILES: &[&str] = &["syfthub.db", "admin.sock", "setup-url"];

pub(super) fn data_dir(settings: &Settings) -> Finding {
    let dir = &settings.data_dir;
    let shown = dir.display();
    match fs::metadata(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Finding::fine("data", format!("{shown} does not exist yet; the first start creates it"))
        }
        Err(error) => Finding::fault(
            "data",
            format!("{shown}: {error}"),
            format!("let this user read and write {shown}"),
        ),
        Ok(meta) if !meta.is_dir() => Finding::fault(
            "data",
            format!("{shown} is not a directory"),
            "choose another one with --data-dir",
        ),
        Ok(_) => match tempfile::tempfile_in(dir) {
            Ok(_) => Finding::fine("data", format!("{shown} can be written")),
            Err(error) => Finding::fault(
                "data",
                format!("{shown} cannot be written: {error}"),
                "free space on its disk, or give this user the right to write there",
            ),
        },
    }
}

pub(super) fn private_files(settings: &Settings) -> Finding {
    let open: Vec<String> = PRIVATE_FILES
        .iter()
        .map(|name| settings.data_dir.join(name))
        .chain(secrets(&settings.data_dir))
        .filter(|path| fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0))
        .map(|path| path.display().to_string())
        .collect();
    if open.is_empty() {
        return Finding::fine("permissions", "secrets are readable by their owner only");
    }
    let list = open.join(" ");
    Finding::doubtful("permissions", format!("others may read {list}"), format!("chmod 600 {list}"))
}

fn secrets(data_dir: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = fs::read_dir(data_dir.join("secrets")) else { return Vec::new() };
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

pub(super) fn open_files() -> Finding {
    match rlimit::getrlimit(rlimit::Resource::NOFILE) {
        Ok((_, hard)) if hard < 4096 => Finding::doubtful(
            "open files",
            format!("at most {hard} files and connections at once"),
            "raise the hard limit (ulimit -Hn, LimitNOFILE= of systemd, ulimits: of compose)",
        ),
        Ok((soft, hard)) => Finding::fine("open files", format!("limit {soft}, raised to {hard} at start")),
        Err(error) => Finding::doubtful("open files", error.to_string(), "check `ulimit -n`"),
    }
}

pub(super) async fn database(settings: &Settings) -> Finding {
    let kind = match &settings.database.url {
        DatabaseUrl::Sqlite(path) if !path.exists() => {
            return Finding::fine(
                "database",
                format!("{} does not exist yet; the first start creates it", path.display()),
            );
        }
        DatabaseUrl::Sqlite(path) => format!("SQLite at {}", path.display()),
        DatabaseUrl::Postgres(_) => "PostgreSQL".to_owned(),
    };
    let seen = async {
        let db = Db::connect(&settings.database).await?;
        db.ping().await?;
        db.pending_migrations().await
    };
    match seen.await {
        Ok(pending) if pending.is_empty() => Finding::fine("database", format!("{kind}, up to date")),
        Ok(pending) => Finding::doubtful(
            "database",
            format!("{kind}, {} migration(s) pending", pending.len()),
            "run `syfthub migrate`, or start the hub, which does the same",
        ),
        Err(error) => Finding::fault(
            "database",
            format!("{kind}: {error}"),
            "check that the server runs and that DATABASE_URL names the right host, user and password",
        ),
    }
}

pub(super) async fn redis(redis: &Redis) -> Finding {
    let fix = "check that Redis runs and that REDIS_URL names the right host and password";
    let answer = async { Cache::redis(redis, "doctor")?.ping().await };
    match answer.await {
        Ok(()) => Finding::fine("redis", "answers"),
        Err(error) => Finding::fault("redis", error.to_string(), fix),
    }
}

pub(super) fn listener(settings: &Settings) -> Finding {
    let address = settings.http.listen();
    if DataDirLock::is_held(&settings.data_dir) {
        return Finding::fine("address", format!("a hub runs on this data directory ({address})"));
    }
    match TcpListener::bind(address) {
        Ok(_) => Finding::fine("address", format!("{address} is free")),
        Err(error) => Finding::fault(
            "address",
            format!("{address}: {error}"),
            format!("stop the program that uses port {}, or choose another one with --port", address.port()),
        ),
    }
}

pub(super) fn public_url(settings: &Settings) -> Finding {
    let origin = settings.public.origin();
    if settings.environment.is_production() && !origin.starts_with("https://") {
        return Finding::doubtful(
            "public url",
            format!("{origin} is not https"),
            "set SYFTHUB_PUBLIC_URL (or DOMAIN) to the https address that people use",
        );
    }
    Finding::fine("public url", format!("{origin}, tokens are issued by {}", settings.tokens.issuer))
}
