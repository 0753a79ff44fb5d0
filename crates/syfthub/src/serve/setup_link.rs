//! The one-time link and the file that keeps it for the operator.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use syfthub_backend::App as Backend;
use syfthub_config::Settings;

use crate::offline::explain;

/// Name of the file in the data directory.
const FILE: &str = "setup-url";

/// The link, when this start made one. It is made anew while there is no administrator and the file is
/// missing, because only the hash of its token is kept; once there is one the file goes.
pub(super) async fn ensure(settings: &Settings, backend: &Backend) -> anyhow::Result<Option<String>> {
    let path = settings.data_dir.join(FILE);
    if let Some(link) = backend.ensure_setup_link(path.exists()).await.map_err(explain)? {
        write(&path, &link).with_context(|| format!("cannot write {}", path.display()))?;
        return Ok(Some(link));
    }
    if !backend.list_admins().await.map_err(explain)?.is_empty() {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(%error, path = %path.display(), "setup.file.not_removed");
            }
            _ => {}
        }
    }
    Ok(None)
}

/// Readable by its owner from the first byte on, and never half written.
fn write(path: &Path, link: &str) -> std::io::Result<()> {
    let next = path.with_extension("new");
    // A leftover of a killed process may have other permissions.
    let _ = fs::remove_file(&next);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&next)?;
    writeln!(file, "{link}")?;
    file.sync_all()?;
    fs::rename(next, path)
}
