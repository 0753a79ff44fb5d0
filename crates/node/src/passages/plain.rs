//! Plain text by paragraphs, code by blocks between blank lines.

use super::Split;
use super::packer::Packer;

/// Splits at blank lines; with `headings`, a line underlined with `===` or `---` opens a section, as in
/// reStructuredText and many README files.
pub(super) fn split(text: &str, headings: bool, max: usize) -> Split {
    let mut packer = Packer::new(max);
    let mut lines = text.lines().zip(1_u32..).peekable();
    while let Some((line, number)) = lines.next() {
        if packer.is_full() {
            break;
        }
        if line.trim().is_empty() {
            packer.paragraph();
            continue;
        }
        if headings && lines.peek().is_some_and(|(next, _)| underlines(next, line)) {
            packer.section(line);
        }
        packer.line(number, line);
    }
    packer.done()
}

fn underlines(line: &str, title: &str) -> bool {
    let line = line.trim_end();
    let title = title.trim_end();
    line.len() >= 3
        && line.len() + 1 >= title.chars().count()
        && title.len() < 120
        && line.starts_with(['=', '-', '~', '^', '*', '#'])
        && line.bytes().all(|b| b == line.as_bytes()[0])
        && title.chars().any(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn underlined_titles_open_sections() {
        let body = "words in a paragraph that is long enough to stand alone in a passage";
        let text = format!("Guide\n=====\n\n{body}\n\nRestore\n-------\n{body}\n");
        let split = split(&text, true, 10);
        assert_eq!(split.title.as_deref(), Some("Guide"));
        let headings: Vec<_> = split.passages.iter().map(|p| (p.heading.as_str(), p.line_start)).collect();
        assert_eq!(headings, [("Guide", 1), ("Restore", 6)]);
    }
}
