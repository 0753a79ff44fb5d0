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

/// Text from elsewhere without what would steer the terminal: control characters other than line end and
/// tab (an escape sequence can rewrite the screen or the clipboard).
pub(crate) fn harmless(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_lose_their_power() {
        assert_eq!(harmless("a\u{1b}]52;c;eA==\u{7}b\u{9b}2Jc\r\n"), "a]52;c;eA==b2Jc\n");
    }
}
