//! Markdown by headings. The parser finds them, so that a `#` in a code block is not one; the text of a
//! passage is the source itself.

use pulldown_cmark::{Event, Options, Parser, Tag};

use super::Split;
use super::packer::Packer;

pub(super) fn split(text: &str, max: usize) -> Split {
    let headings = headings(text);
    let mut headings = headings.iter().copied().peekable();
    let mut packer = Packer::new(max);
    let mut offset = 0;
    for (line, number) in text.split_inclusive('\n').zip(1_u32..) {
        if packer.is_full() {
            break;
        }
        let end = offset + line.len();
        while let Some(heading) = headings.next_if(|at| *at < end) {
            if heading >= offset {
                packer.section(line);
            }
        }
        if line.trim().is_empty() {
            packer.paragraph();
        } else {
            packer.line(number, line.trim_end_matches(['\r', '\n']));
        }
        offset = end;
    }
    packer.done()
}

/// Byte offsets of all headings, in order.
fn headings(text: &str) -> Vec<usize> {
    Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS)
        .into_offset_iter()
        .filter_map(|(event, range)| {
            matches!(event, Event::Start(Tag::Heading { .. })).then_some(range.start)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_open_sections_but_not_inside_code() {
        let body = "a paragraph that is long enough to be a passage of its own, surely";
        let text = format!("# Backups\n\n{body}\n\n## Restore\n\n```\n# not a heading\n```\n{body}\n");
        let split = split(&text, 10);
        assert_eq!(split.title.as_deref(), Some("Backups"));
        let found: Vec<_> =
            split.passages.iter().map(|p| (p.heading.as_str(), p.line_start, p.line_end)).collect();
        assert_eq!(found, [("Backups", 1, 3), ("Restore", 5, 10)]);
    }
}
