//! Which documents there are.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::IndexingError;
use crate::config::Corpus;
use crate::index::Entry;

/// More files than this are not looked at.
const MAX_FILES: usize = 300_000;

/// Where the bytes of a document are.
#[derive(Debug, Clone)]
pub(super) enum Place {
    File(PathBuf),
    Memory(std::borrow::Cow<'static, [u8]>),
}

/// A document to look at.
#[derive(Debug, Clone)]
pub(super) struct Job {
    /// Its path below the folder, with `/` on every system.
    pub(super) path: String,
    pub(super) place: Place,
    pub(super) size: i64,
    /// Microseconds since 1970; 0 for documents in memory.
    pub(super) modified: i64,
}

/// All documents of a corpus.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    pub(super) jobs: Vec<Job>,
    pub(super) skipped: BTreeMap<&'static str, u64>,
    /// Parts of the folder that could not be read just now: what is known of them stays.
    unreadable: Vec<String>,
    /// The folder, when it holds more files than are looked at: what is missing may be there after all.
    cut_off: Option<PathBuf>,
}

impl Scanned {
    /// Known documents that are there no more. Looks at the disk when the scan was cut off.
    pub(super) fn gone(&self, known: &HashMap<String, Entry>) -> Vec<String> {
        let present: HashSet<&str> = self.jobs.iter().map(|job| job.path.as_str()).collect();
        known
            .keys()
            .filter(|path| !present.contains(path.as_str()))
            .filter(|path| !self.unreadable.iter().any(|part| path.starts_with(part.as_str())))
            .filter(|path| self.cut_off.as_ref().is_none_or(|root| is_gone(&root.join(path))))
            .cloned()
            .collect()
    }
}

fn is_gone(path: &Path) -> bool {
    // Only this error says so; any other may pass.
    path.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

pub(super) fn scan(corpus: &Corpus) -> Result<Scanned, IndexingError> {
    match corpus {
        Corpus::Folder(folder) => scan_folder(folder, MAX_FILES),
        Corpus::Embedded(documents) => {
            let jobs = documents
                .iter()
                .map(|document| Job {
                    path: document.path.clone(),
                    size: i64::try_from(document.bytes.len()).unwrap_or(i64::MAX),
                    // A new release may change a text and keep its length: the bytes stand in for the time.
                    modified: checksum(&document.bytes),
                    place: Place::Memory(document.bytes.clone()),
                })
                .collect();
            Ok(Scanned { jobs, ..Scanned::default() })
        }
    }
}

fn checksum(bytes: &[u8]) -> i64 {
    bytes.iter().fold(17_i64, |sum, byte| sum.wrapping_mul(31).wrapping_add(i64::from(*byte)))
}

/// Walks the folder. Symbolic links are not followed: what they point at inside the folder is found at
/// its own place, and what is outside was not meant to be published. Hidden files are left out.
fn scan_folder(folder: &Path, most: usize) -> Result<Scanned, IndexingError> {
    let fault = |source| IndexingError::Folder { path: folder.to_owned(), source };
    let root = folder.canonicalize().map_err(fault)?;
    std::fs::read_dir(&root).map_err(fault)?;
    let mut scanned = Scanned::default();
    let walk =
        ignore::WalkBuilder::new(&root).standard_filters(false).hidden(true).follow_links(false).build();
    for entry in walk {
        match entry {
            Ok(entry) => {
                if entry.file_type().is_some_and(|kind| kind.is_file()) {
                    scanned.add_file(&root, &entry);
                }
            }
            Err(error) => {
                *scanned.skipped.entry("not readable").or_default() += 1;
                // An error without a path may stand for anything, so nothing is forgotten then.
                let part = error_path(&error).and_then(|path| relative(&root, path)).unwrap_or_default();
                scanned.unreadable.push(part);
            }
        }
        if scanned.jobs.len() >= most {
            tracing::warn!(limit = most, "node.index.too_many_files");
            scanned.cut_off = Some(root.clone());
            break;
        }
    }
    scanned.jobs.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(scanned)
}

impl Scanned {
    fn add_file(&mut self, root: &Path, entry: &ignore::DirEntry) {
        let Some(path) = relative(root, entry.path()) else {
            *self.skipped.entry("with a name that is not UTF-8").or_default() += 1;
            return;
        };
        let Ok(metadata) = entry.metadata() else {
            self.unreadable.push(path);
            return;
        };
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        self.jobs.push(Job {
            path,
            place: Place::File(entry.path().to_owned()),
            size: i64::try_from(metadata.len()).unwrap_or(i64::MAX),
            modified: modified.and_then(|age| i64::try_from(age.as_micros()).ok()).unwrap_or(0),
        });
    }
}

fn error_path(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => error_path(err),
        _ => None,
    }
}

fn relative(root: &Path, path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = path.strip_prefix(root).ok()?.iter().map(|part| part.to_str()).collect();
    parts.map(|parts| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_limit_only_what_is_really_gone_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["a.md", "b.md", "c.md", "d.md"];
        for name in &names[..3] {
            std::fs::write(folder.path().join(name), "walruses").unwrap();
        }
        let entry = Entry { size: 8, modified: 0, hash: [0; 32], is_original: true };
        let known: HashMap<String, Entry> = names.iter().map(|n| ((*n).to_owned(), entry.clone())).collect();
        let scanned = scan_folder(folder.path(), 2).unwrap();
        assert_eq!(scanned.jobs.len(), 2);
        assert_eq!(scanned.gone(&known), ["d.md"]);
        let whole = scan_folder(folder.path(), 9).unwrap();
        assert_eq!(whole.gone(&known), ["d.md"]);
    }
}
