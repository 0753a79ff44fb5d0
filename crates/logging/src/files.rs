//! Log files that rotate by size and can be reopened.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A file is rotated before it passes this many bytes.
const ROTATE_AT: u64 = 10 * 1024 * 1024;
/// Rotated files that are kept: `x.log.1` (newest) to `x.log.5`.
const KEPT: u32 = 5;

/// One log file. Lines are written whole; a write that fails (a full disk) is dropped, since logging
/// must never stop the service.
pub(crate) struct LogFile {
    path: PathBuf,
    rotate_at: u64,
    open: Mutex<Option<Open>>,
}

struct Open {
    file: File,
    size: u64,
}

impl LogFile {
    /// Opens or creates the file.
    pub(crate) fn create(path: PathBuf) -> io::Result<Self> {
        Self::with_limit(path, ROTATE_AT)
    }

    fn with_limit(path: PathBuf, rotate_at: u64) -> io::Result<Self> {
        let open = open(&path)?;
        Ok(Self { path, rotate_at, open: Mutex::new(Some(open)) })
    }

    /// Appends one line, which ends with a line feed.
    pub(crate) fn write_line(&self, line: &[u8]) {
        let mut slot = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let length = line.len() as u64;
        if slot.as_ref().is_some_and(|open| open.size > 0 && open.size + length > self.rotate_at) {
            // The old handle is closed first; if a rename fails the file simply keeps growing.
            *slot = None;
            let _ = rotate(&self.path);
        }
        if slot.is_none() {
            *slot = open(&self.path).ok();
        }
        if let Some(open) = slot.as_mut()
            && open.file.write_all(line).is_ok()
        {
            open.size += length;
        }
    }

    /// Opens the path anew, for an outside tool that has moved the file away.
    pub(crate) fn reopen(&self) -> io::Result<()> {
        let fresh = open(&self.path)?;
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(fresh);
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<Open> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    let file = options.open(path)?;
    let size = file.metadata()?.len();
    Ok(Open { file, size })
}

fn rotate(path: &Path) -> io::Result<()> {
    for number in (1..KEPT).rev() {
        let from = numbered(path, number);
        if from.exists() {
            fs::rename(from, numbered(path, number + 1))?;
        }
    }
    fs::rename(path, numbered(path, 1))
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::LogFile;

    #[test]
    fn rotates_by_size_and_keeps_five() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("application.log");
        let file = LogFile::with_limit(path.clone(), 10).unwrap();
        for number in 0..9 {
            file.write_line(format!("line-{number}\n").as_bytes());
        }
        let mut names: Vec<String> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let expected: Vec<String> = std::iter::once("application.log".to_owned())
            .chain((1..=5).map(|number| format!("application.log.{number}")))
            .collect();
        assert_eq!(names, expected);
        assert_eq!(fs::read_to_string(&path).unwrap(), "line-8\n");
        assert_eq!(fs::read_to_string(dir.path().join("application.log.5")).unwrap(), "line-3\n");
    }

    #[test]
    fn continues_an_existing_file_and_reopens_a_moved_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("errors.log");
        fs::write(&path, "before\n").unwrap();
        let file = LogFile::create(path.clone()).unwrap();
        file.write_line(b"after\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "before\nafter\n");
        fs::rename(&path, dir.path().join("moved")).unwrap();
        file.reopen().unwrap();
        file.write_line(b"new\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "new\n");
        assert_eq!(fs::read_to_string(dir.path().join("moved")).unwrap(), "before\nafter\n");
    }
}
