//! A secret that is generated once and kept in the data directory.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::Secret;
use crate::input::read_text;

/// Where generated secrets are, below the data directory.
const DIRECTORY: &str = "secrets";

/// What [`keep`] found or made.
pub(crate) struct Kept {
    pub(crate) secret: Secret,
    pub(crate) path: PathBuf,
    /// Whether this call made it.
    pub(crate) new: bool,
    /// Whether the file could be read by others and was closed to them.
    pub(crate) tightened: bool,
}

/// Returns the path of a generated secret.
pub(crate) fn path(data_dir: &Path, name: &str) -> PathBuf {
    data_dir.join(DIRECTORY).join(name)
}

/// Makes 32 random bytes in hexadecimal, as `openssl rand -hex 32` does.
pub(crate) fn random() -> Secret {
    let bytes: [u8; 32] = rand::random();
    Secret::new(hex::encode(bytes))
}

/// Reads the kept secret of this name, if there is one.
pub(crate) fn read(data_dir: &Path, name: &str) -> Result<Option<Secret>, String> {
    let path = path(data_dir, name);
    let text = read_text(&path).map_err(|fault| format!("{} {fault}", path.display()))?;
    let Some(text) = text else { return Ok(None) };
    let text = text.trim();
    if text.len() < 32 {
        return Err(format!(
            "{} is damaged: it holds fewer than 32 characters; restore it from a backup, or remove it to start \
             with a new key (sessions end, and what the old key sealed is lost)",
            path.display()
        ));
    }
    Ok(Some(Secret::new(text)))
}

/// Returns the kept secret of this name, making it on the first call. Several processes that start at
/// once agree on one.
pub(crate) fn keep(data_dir: &Path, name: &str) -> Result<Kept, String> {
    let path = path(data_dir, name);
    if let Some(secret) = read(data_dir, name)? {
        let tightened = tighten(&path);
        return Ok(Kept { secret, path, new: false, tightened });
    }
    let fault = |error: io::Error| format!("{} cannot be written ({error})", path.display());
    let made = random();
    let new = publish(&path, &made).map_err(fault)?;
    // Another process may have been first: what is in the file counts.
    let secret = read(data_dir, name)?.ok_or_else(|| format!("{} vanished", path.display()))?;
    Ok(Kept { secret, path, new, tightened: false })
}

/// Writes the file completely under another name and links it into place, which fails when another
/// process was first. Returns whether this process won.
fn publish(path: &Path, secret: &Secret) -> io::Result<bool> {
    let directory = path.parent().unwrap_or(Path::new("."));
    create_private_dir(directory)?;
    let unique: u64 = rand::random();
    let draft = directory.join(format!(".draft-{unique:016x}"));
    let written = write_private(&draft, secret.expose());
    let linked = written.and_then(|()| fs::hard_link(&draft, path));
    let _ = fs::remove_file(&draft);
    match linked {
        Ok(()) => {
            // The new name must survive a crash, else a second start would make another secret.
            let _ = File::open(directory).and_then(|directory| directory.sync_all());
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        // Some mounted file systems have no links.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied) =>
        {
            match write_private(path, secret.expose()) {
                Ok(()) => Ok(true),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
                Err(error) => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

fn create_private_dir(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

/// Closes a secret file to others. Returns whether it had been open to them.
#[cfg(unix)]
fn tighten(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let open = fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0);
    open && fs::set_permissions(path, fs::Permissions::from_mode(0o600)).is_ok()
}

#[cfg(not(unix))]
fn tighten(_path: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::keep;

    #[test]
    fn many_processes_agree_on_one_secret() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("a/data");
        let kept: Vec<(String, bool)> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16)
                .map(|_| {
                    scope.spawn(|| {
                        let kept = keep(&data, "secret_key").unwrap();
                        (kept.secret.expose().to_owned(), kept.new)
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(kept.iter().map(|(secret, _)| secret).collect::<BTreeSet<_>>().len(), 1);
        assert_eq!(kept.iter().filter(|(_, new)| *new).count(), 1);
        let mode = |path: &str| fs::metadata(data.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("secrets"), mode("secrets/secret_key"), mode("")), (0o700, 0o600, 0o700));
        assert_eq!(fs::read_dir(data.join("secrets")).unwrap().count(), 1);
    }

    #[test]
    fn closes_an_open_file_and_refuses_a_damaged_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = keep(dir.path(), "secret_key").unwrap().path;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(keep(dir.path(), "secret_key").unwrap().tightened);
        assert!(!keep(dir.path(), "secret_key").unwrap().tightened);
        fs::write(&path, "short").unwrap();
        assert!(keep(dir.path(), "secret_key").err().unwrap().contains("damaged"));
    }
}
