//! HTML without its tags. A small reader of our own rather than a DOM: it keeps the line numbers of the
//! source, which citations need, and no nesting depth can hurt it.

use super::Split;
use super::packer::Packer;

/// Elements whose content is not text for readers.
const SILENT: &[&str] = &["script", "style", "noscript", "template", "svg", "head", "nav"];
/// Elements that end a paragraph.
const BLOCKS: &[&str] = &[
    "p",
    "div",
    "section",
    "article",
    "ul",
    "ol",
    "dl",
    "table",
    "pre",
    "blockquote",
    "hr",
    "body",
    "header",
    "footer",
    "main",
    "aside",
    "figure",
    "form",
];
/// Elements that end a line.
const LINES: &[&str] = &["br", "li", "tr", "dt", "dd", "option", "caption"];

struct Reader<'t> {
    text: &'t str,
    at: usize,
    line: u32,
    packer: Packer,
    words: String,
    words_line: u32,
    in_heading: bool,
}

pub(super) fn split(text: &str, max: usize) -> Split {
    let mut reader = Reader {
        text,
        at: 0,
        line: 1,
        packer: Packer::new(max),
        words: String::new(),
        words_line: 1,
        in_heading: false,
    };
    while reader.at < text.len() && !reader.packer.is_full() {
        reader.step();
    }
    reader.end_heading();
    reader.end_line();
    reader.packer.done()
}

impl<'t> Reader<'t> {
    fn step(&mut self) {
        let rest = &self.text[self.at..];
        if rest.starts_with("<!--") {
            self.skip_past("-->");
        } else if rest.starts_with('<')
            && rest[1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!' || c == '?')
        {
            self.tag();
        } else {
            let from = rest.ceil_char_boundary(1);
            let end = rest[from..].find('<').map_or(rest.len(), |at| at + from);
            self.take_words(&rest[..end]);
            self.at += end;
        }
    }

    /// Moves to `to`, counting lines.
    fn advance(&mut self, to: usize) {
        let passed = self.text[self.at..to].matches('\n').count();
        self.line += u32::try_from(passed).unwrap_or(0);
        self.at = to;
    }

    fn skip_past(&mut self, mark: &str) {
        let to = self.text[self.at..].find(mark).map_or(self.text.len(), |at| self.at + at + mark.len());
        self.advance(to);
    }

    fn tag(&mut self) {
        let text: &'t str = self.text;
        let rest = &text[self.at + 1..];
        let closing = rest.starts_with('/');
        let name_part = rest.trim_start_matches('/');
        let name_end = name_part.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name_part.len());
        let name = name_part[..name_end.min(16)].to_ascii_lowercase();
        self.skip_past(">");
        if name == "title" && !closing {
            let end = text[self.at..].find("</").map_or(text.len(), |at| self.at + at);
            self.packer.title(&decode_entities(&text[self.at..end]));
            self.advance(end);
        } else if SILENT.contains(&name.as_str()) && !closing {
            self.silent(&name);
        } else if name.len() == 2 && name.starts_with('h') && name.as_bytes()[1].is_ascii_digit() {
            self.end_heading();
            self.end_line();
            self.packer.paragraph();
            self.in_heading = !closing;
        } else if BLOCKS.contains(&name.as_str()) {
            self.end_line();
            self.packer.paragraph();
        } else if LINES.contains(&name.as_str()) {
            self.end_line();
        } else if (name == "td" || name == "th") && !self.words.is_empty() {
            self.words.push(' ');
        }
    }

    /// Skips an element without text for readers; inside `head` only the title counts.
    fn silent(&mut self, name: &str) {
        if name == "head" {
            return;
        }
        let close = format!("</{name}");
        let rest = &self.text.as_bytes()[self.at..];
        let found =
            rest.windows(close.len()).position(|window| window.eq_ignore_ascii_case(close.as_bytes()));
        let to = found.map_or(self.text.len(), |at| self.at + at);
        self.advance(to);
    }

    fn take_words(&mut self, raw: &str) {
        let decoded = decode_entities(raw);
        for (index, part) in decoded.split('\n').enumerate() {
            if index > 0 {
                self.line += 1;
                self.blank();
                // Long runs of text become lines at the breaks of the source, so that line ranges stay small.
                if self.words.len() > 300 && !self.in_heading {
                    self.end_line();
                }
            }
            if part.starts_with(char::is_whitespace) {
                self.blank();
            }
            for (place, word) in part.split_whitespace().enumerate() {
                if place > 0 {
                    self.blank();
                }
                if self.words.is_empty() {
                    self.words_line = self.line;
                }
                self.words.push_str(word);
            }
            if part.ends_with(char::is_whitespace) {
                self.blank();
            }
        }
    }

    fn blank(&mut self) {
        if !self.words.is_empty() && !self.words.ends_with(' ') {
            self.words.push(' ');
        }
    }

    fn end_heading(&mut self) {
        if std::mem::take(&mut self.in_heading) && !self.words.trim().is_empty() {
            let words = self.words.clone();
            self.packer.section(&words);
        }
    }

    fn end_line(&mut self) {
        if !self.words.trim().is_empty() {
            let words = std::mem::take(&mut self.words);
            self.packer.line(self.words_line, words.trim());
        }
        self.words.clear();
    }
}

fn decode_entities(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        decoded.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.as_bytes().iter().take(12).position(|byte| *byte == b';');
        if let Some((c, end)) = end.and_then(|end| Some((entity(&rest[1..end])?, end))) {
            decoded.push(c);
            rest = &rest[end + 1..];
        } else {
            decoded.push('&');
            rest = &rest[1..];
        }
    }
    decoded.push_str(rest);
    decoded
}

fn entity(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code).filter(|c| *c != '\0' && *c != '\n');
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "copy" => '©',
        "reg" => '®',
        "ndash" => '–',
        "mdash" => '—',
        "hellip" => '…',
        "lsquo" => '‘',
        "rsquo" => '’',
        "ldquo" => '“',
        "rdquo" => '”',
        "auml" => 'ä',
        "ouml" => 'ö',
        "uuml" => 'ü',
        "szlig" => 'ß',
        "eacute" => 'é',
        "egrave" => 'è',
        "agrave" => 'à',
        "ccedil" => 'ç',
        "bull" => '•',
        "middot" => '·',
        "rarr" => '→',
        "larr" => '←',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_scripts_and_entities_do_not_reach_the_text() {
        let html = "<html><head><title>Backup &amp; restore</title><style>p{}</style></head>\n<body>\n\
            <h1>First<b>ly</b></h1><p>Stop the\nhub, then c<i>op</i>y.</p><script>if (a < b) evil()</script>\n\
            <ul><li>one</li><li>two &#8594; three</li></ul></body>";
        let split = split(html, 10);
        assert_eq!(split.title.as_deref(), Some("Backup & restore"));
        let text = &split.passages[0].text;
        assert!(text.contains("Stop the hub, then copy."), "{text}");
        assert!(text.contains("two → three"), "{text}");
        assert!(!text.contains("evil") && !text.contains('<'), "{text}");
        assert_eq!(split.passages[0].line_start, 3);
    }

    #[test]
    fn broken_html_is_read_as_far_as_it_goes() {
        for html in ["<", "a < b <", "<p", "<script>never closed", "&#0;&#xffffffff;&bogus;", "</", "<!--"] {
            split(html, 10);
        }
        assert_eq!(split("1 < 2 & 3", 10).passages[0].text, "1 < 2 & 3");
    }
}
