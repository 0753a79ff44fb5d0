//! The one place that writes to the process's standard output. Its errors (a closed pipe) end the
//! command instead of a panic.

use std::io::{self, Write as _};

/// Writes one line.
pub(crate) fn line(text: impl AsRef<str>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_ref().as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Writes text as it is.
pub(crate) fn raw(text: impl AsRef<str>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_ref().as_bytes())?;
    out.flush()
}

/// Writes one line to standard error, for people.
pub(crate) fn note(text: impl AsRef<str>) -> io::Result<()> {
    let mut err = io::stderr().lock();
    err.write_all(text.as_ref().as_bytes())?;
    err.write_all(b"\n")
}
