//! Reads one document: bytes, compression, encoding, passages. Nothing that a file holds may hurt.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use aws_lc_rs::digest;
use rustix::fs::OFlags;

use super::scan::{Job, Place};
use crate::index::{Change, Entry, Outcome};
use crate::passages::{Format, MAX_PASSAGES, split};

/// A file may have this many bytes, also after decompression.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// Of a copy, only the beginning is looked at.
const COPY_BYTES: usize = 8 * 1024;
/// … and this many passages are kept, so that it is found under its own path.
const COPY_PASSAGES: usize = 3;

const TOO_LARGE: &str = "larger than 8 MiB";
const NOT_TEXT: &str = "not text";
const NOT_READABLE: &str = "not readable";
const DAMAGED: &str = "damaged";
const EMPTY: &str = "empty";

/// What became of a document.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) change: Change,
    /// Why it is not in the index.
    pub(super) skipped: Option<&'static str>,
    /// Whether only its first part is.
    pub(super) cut: bool,
}

/// Reads a document. `claim` says whether nobody else has taken a file with this hash.
pub(super) fn read(job: &Job, previous: Option<&Entry>, claim: impl Fn([u8; 32]) -> bool) -> Reading {
    let mut entry = Entry { size: job.size, modified: job.modified, hash: [0; 32], is_original: false };
    let mut title = title_of(&job.path);
    let mut cut = false;
    let outcome = contents(job, previous, &mut entry.hash, claim).and_then(|contents| match contents {
        Contents::Same => Ok(Outcome::Unchanged),
        Contents::Text { format, text, original } => {
            let found = split(format, &text, if original { MAX_PASSAGES } else { COPY_PASSAGES });
            cut = found.cut && original;
            if let Some(own) = found.title {
                title = own;
            }
            match (found.passages, original) {
                (passages, _) if passages.is_empty() => Err(EMPTY),
                (passages, true) => Ok(Outcome::Indexed(passages)),
                (passages, false) => Ok(Outcome::Copy(passages)),
            }
        }
    });
    let skipped = outcome.as_ref().err().copied();
    let outcome = outcome.unwrap_or(Outcome::Skipped);
    Reading { change: Change { path: job.path.clone(), title, entry, outcome }, skipped, cut }
}

enum Contents {
    Same,
    Text { format: Format, text: String, original: bool },
}

fn contents(
    job: &Job,
    previous: Option<&Entry>,
    hash: &mut [u8; 32],
    claim: impl Fn([u8; 32]) -> bool,
) -> Result<Contents, &'static str> {
    let name = job.path.rsplit('/').next().unwrap_or(&job.path);
    let (plain_name, compressed) = match name.strip_suffix(".gz") {
        Some(plain) => (plain, true),
        None => (name, false),
    };
    let format = Format::of(plain_name).ok_or(NOT_TEXT)?;
    if usize::try_from(job.size).is_ok_and(|size| size > MAX_BYTES) {
        return Err(TOO_LARGE);
    }
    let bytes = bytes_of(&job.place)?;
    hash.copy_from_slice(digest::digest(&digest::SHA256, &bytes).as_ref());
    if previous
        .is_some_and(|known| known.is_original && known.size >= 0 && known.hash == *hash && claim(*hash))
    {
        return Ok(Contents::Same);
    }
    let original = claim(*hash);
    let wanted = if original { MAX_BYTES } else { COPY_BYTES };
    let bytes = if compressed { inflate(&bytes, wanted, original)? } else { bytes };
    let mut bytes = bytes.as_ref();
    let shortened = bytes.len() > wanted;
    if shortened {
        bytes = &bytes[..wanted];
    }
    let text = decode(bytes, format.promises_text(), shortened || !original).ok_or(NOT_TEXT)?;
    Ok(Contents::Text { format, text, original })
}

fn bytes_of(place: &Place) -> Result<Cow<'_, [u8]>, &'static str> {
    let file = match place {
        Place::Memory(bytes) => return Ok(Cow::Borrowed(bytes)),
        Place::File(path) => open(path).map_err(|_| NOT_READABLE)?,
    };
    let mut bytes = Vec::new();
    // The file may grow while it is read.
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(|_| NOT_READABLE)?;
    if bytes.len() > MAX_BYTES { Err(TOO_LARGE) } else { Ok(Cow::Owned(bytes)) }
}

/// Opens what was a file when the folder was looked at. By now a symbolic link may lie there, to a file
/// that was not meant to be published, or a pipe, which would never be read to its end.
fn open(path: &Path) -> std::io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(std::io::ErrorKind::InvalidInput.into()) }
}

/// Unpacks at most `wanted` bytes. With `whole`, more than that is an error: a few kilobytes can unpack to
/// terabytes.
fn inflate(bytes: &[u8], wanted: usize, whole: bool) -> Result<Cow<'static, [u8]>, &'static str> {
    let mut text = Vec::new();
    let limit = wanted as u64 + u64::from(whole);
    match flate2::read::MultiGzDecoder::new(bytes).take(limit).read_to_end(&mut text) {
        Ok(_) if whole && text.len() > wanted => Err(TOO_LARGE),
        Ok(_) => Ok(Cow::Owned(text)),
        Err(_) => Err(DAMAGED),
    }
}

/// The text of a file, or `None` if it holds none. UTF-8; for names that promise text, anything else is
/// read as Latin-1, where every byte is a character. U+0000 becomes U+FFFD.
fn decode(bytes: &[u8], promised: bool, may_end_early: bool) -> Option<String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let controls = bytes.iter().filter(|byte| **byte < 0x20 && !matches!(byte, 8..=13 | 0x1b)).count();
    if controls * 20 > bytes.len() {
        return None;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(error) if may_end_early && error.valid_up_to() + 4 > bytes.len() => {
            String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned()
        }
        Err(_) if promised => bytes.iter().copied().map(char::from).collect(),
        Err(_) => return None,
    };
    Some(if controls > 0 { text.replace('\0', "\u{fffd}") } else { text })
}

/// The last two parts of the path, which is what people know a file by: `bash/copyright`.
fn title_of(path: &str) -> String {
    let path = path.strip_suffix(".gz").unwrap_or(path);
    let start = path.rmatch_indices('/').nth(1).map_or(0, |(at, _)| at + 1);
    crate::text::clip(&path[start..], 200).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_the_end_of_the_path() {
        assert_eq!(title_of("a/b/bash/changelog.gz"), "bash/changelog");
        assert_eq!(title_of("notes.md"), "notes.md");
    }

    #[test]
    fn text_is_told_from_what_is_not() {
        assert_eq!(
            decode(b"a\0b, and so on, and so on", false, false).unwrap(),
            "a\u{fffd}b, and so on, and so on"
        );
        assert_eq!(decode(b"caf\xe9", true, false).unwrap(), "café");
        assert_eq!(decode(b"caf\xe9 is Latin-1", false, false), None);
        assert_eq!(decode(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0", true, false), None);
        assert_eq!(decode("\u{feff}x".as_bytes(), false, false).unwrap(), "x");
        assert_eq!(decode(&"xxé".as_bytes()[..3], false, true).unwrap(), "xx");
    }

    #[test]
    fn what_took_the_place_of_a_file_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "walruses").unwrap();
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), rustix::fs::Mode::RUSR).unwrap();
        assert_eq!(bytes_of(&Place::File(at("file"))).unwrap().as_ref(), b"walruses");
        for name in ["link", "pipe", "."] {
            assert_eq!(bytes_of(&Place::File(at(name))), Err(NOT_READABLE), "{name}");
        }
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut packed, &vec![b' '; MAX_BYTES + 1]).unwrap();
        let packed = packed.finish().unwrap();
        assert!(packed.len() < 20_000);
        assert_eq!(inflate(&packed, MAX_BYTES, true), Err(TOO_LARGE));
        assert_eq!(inflate(b"not gzip at all", MAX_BYTES, true), Err(DAMAGED));
        assert_eq!(inflate(&packed[..packed.len() / 2], MAX_BYTES, true), Err(DAMAGED));
    }
}
