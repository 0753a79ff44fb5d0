//! HTML without its tags. The tokenizer of `html5ever` reads it as browsers do and tells the lines, which
//! citations need; no tree is built, so no nesting depth can hurt.

use std::cell::{Cell, RefCell};

use html5ever::LocalName;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{BufferQueue, StartTag, Tag, Token, TokenSink, TokenSinkResult, Tokenizer};

use super::Split;
use super::packer::Packer;

/// Elements whose content is not text for readers.
const SILENT: &[&str] =
    &["script", "style", "noscript", "template", "svg", "nav", "iframe", "noembed", "noframes"];
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

/// Bytes that the tokenizer is given at a time.
const CHUNK: usize = 4 * 1024;
/// The tokenizer compares every attribute of a tag with all before it, so what looks like more attributes than
/// this within one tag ends the reading …
const MAX_SEPARATORS: usize = 8_000;
/// … and so do more comparisons than this in all tags together.
const MAX_COMPARISONS: usize = 100_000_000;
/// Bytes of a title that are looked at.
const MAX_TITLE: usize = 2_000;

pub(super) fn split(text: &str, max: usize) -> Split {
    let last_line = u64::try_from(text.matches('\n').count()).unwrap_or(u64::MAX).saturating_add(1);
    let tokenizer =
        Tokenizer::new(Reader::new(max, last_line), html5ever::tokenizer::TokenizerOpts::default());
    let input = BufferQueue::default();
    let mut cut = false;
    let mut rest = text;
    while !rest.is_empty() && !tokenizer.sink.page.borrow().packer.is_full() {
        let (chunk, after) = rest.split_at(rest.floor_char_boundary(CHUNK));
        if tokenizer.sink.is_too_costly(chunk) {
            cut = true;
            break;
        }
        input.push_back(StrTendril::from_slice(chunk));
        // Only a sink that asks for it is given anything but `Done` here.
        let _ = tokenizer.feed(&input);
        rest = after;
    }
    tokenizer.end();
    let mut page = tokenizer.sink.page.into_inner();
    page.end_heading();
    page.end_line();
    let mut split = page.packer.done();
    split.cut |= cut;
    split
}

/// Takes the tokens.
struct Reader {
    page: RefCell<Page>,
    last_line: u64,
    /// Bytes since the last token that could each begin an attribute.
    separators: Cell<usize>,
    comparisons: Cell<usize>,
}

impl Reader {
    fn new(max: usize, last_line: u64) -> Self {
        Self {
            page: RefCell::new(Page::new(max)),
            last_line,
            separators: Cell::new(0),
            comparisons: Cell::new(0),
        }
    }

    fn is_too_costly(&self, chunk: &str) -> bool {
        let more = chunk.bytes().filter(|b| b.is_ascii_whitespace() || b"/'\"".contains(b)).count();
        self.separators.set(self.separators.get() + more);
        self.separators.get() > MAX_SEPARATORS || self.comparisons.get() > MAX_COMPARISONS
    }

    /// The line of the source, whatever the tokenizer takes for a line end.
    fn line(&self, number: u64) -> u32 {
        u32::try_from(number.clamp(1, self.last_line)).unwrap_or(u32::MAX)
    }
}

impl TokenSink for Reader {
    type Handle = ();

    fn process_token(&self, token: Token, line_number: u64) -> TokenSinkResult<()> {
        match token {
            Token::TagToken(tag) => {
                self.separators.set(0);
                let attributes = tag.attrs.len();
                self.comparisons
                    .set(self.comparisons.get().saturating_add(attributes.saturating_mul(attributes)));
                return self.page.borrow_mut().tag(&tag);
            }
            Token::CharacterTokens(text) => {
                self.separators.set(0);
                // The number is that of the line in which the text ends.
                let breaks = u64::try_from(text.matches('\n').count()).unwrap_or(0);
                let line = self.line(line_number.saturating_sub(breaks));
                self.page.borrow_mut().text(&text, line, self.line(line_number));
            }
            Token::CommentToken(_) => self.separators.set(0),
            Token::DoctypeToken(_) | Token::NullCharacterToken | Token::EOFToken | Token::ParseError(_) => {}
        }
        TokenSinkResult::Continue
    }
}

/// The text so far.
struct Page {
    packer: Packer,
    words: String,
    words_line: u32,
    in_heading: bool,
    in_pre: bool,
    /// The title, while it is read.
    title: Option<String>,
    /// The element that is skipped, and how deep elements of this name are nested in it.
    skipped: Option<(LocalName, u64)>,
}

impl Page {
    fn new(max: usize) -> Self {
        Self {
            packer: Packer::new(max),
            words: String::new(),
            words_line: 1,
            in_heading: false,
            in_pre: false,
            title: None,
            skipped: None,
        }
    }

    /// Takes a tag; tells the tokenizer when what follows is not markup.
    fn tag(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        let opens = tag.kind == StartTag;
        // `<script/>` has no end tag in XHTML, and nothing is lost by taking it at its word elsewhere.
        if opens && tag.self_closing && (SILENT.contains(&&*tag.name) || &*tag.name == "title") {
            return TokenSinkResult::Continue;
        }
        if self.skipped.is_some() {
            self.tag_in_skipped(tag, opens);
        } else if opens && SILENT.contains(&&*tag.name) {
            self.skipped = Some((tag.name.clone(), 1));
        } else {
            self.shown_tag(&tag.name, opens);
        }
        match &*tag.name {
            "script" if opens => TokenSinkResult::RawData(RawKind::ScriptData),
            "style" | "iframe" | "noembed" | "noframes" | "xmp" if opens => {
                TokenSinkResult::RawData(RawKind::Rawtext)
            }
            "title" | "textarea" if opens => TokenSinkResult::RawData(RawKind::Rcdata),
            _ => TokenSinkResult::Continue,
        }
    }

    fn tag_in_skipped(&mut self, tag: &Tag, opens: bool) {
        let Some((_, depth)) = self.skipped.as_mut().filter(|(name, _)| *name == tag.name) else { return };
        *depth = if opens { *depth + 1 } else { *depth - 1 };
        if *depth == 0 {
            self.skipped = None;
        }
    }

    fn shown_tag(&mut self, name: &str, opens: bool) {
        match name {
            "title" if opens => self.title = Some(String::new()),
            "title" => {
                if let Some(title) = self.title.take() {
                    self.packer.title(&title);
                }
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.end_heading();
                self.end_line();
                self.packer.paragraph();
                self.in_heading = opens;
            }
            "td" | "th" => self.blank(),
            _ if BLOCKS.contains(&name) => {
                self.end_line();
                self.packer.paragraph();
                if name == "pre" {
                    self.in_pre = opens;
                }
            }
            _ if LINES.contains(&name) => self.end_line(),
            _ => {}
        }
    }

    /// Takes text that begins in line `line` and ends in line `last`.
    fn text(&mut self, text: &str, mut line: u32, last: u32) {
        if self.skipped.is_some() {
            return;
        }
        if let Some(title) = &mut self.title {
            if title.len() + text.len() <= MAX_TITLE {
                title.push_str(text);
            }
            return;
        }
        for (index, part) in text.split('\n').enumerate() {
            if index > 0 {
                line = last.min(line + 1);
                self.blank();
                // Long runs of text become lines at the breaks of the source, so that line ranges stay small.
                if self.in_pre || (self.words.len() > 300 && !self.in_heading) {
                    self.end_line();
                }
            }
            self.part(part, line);
        }
    }

    /// Takes text without line ends.
    fn part(&mut self, part: &str, line: u32) {
        if part.starts_with(char::is_whitespace) {
            self.blank();
        }
        for (place, word) in part.split_whitespace().enumerate() {
            if place > 0 {
                self.blank();
            }
            if self.words.is_empty() {
                self.words_line = line;
            }
            self.words.push_str(word);
        }
        if part.ends_with(char::is_whitespace) {
            self.blank();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn text(html: &str) -> String {
        let passages = split(html, 10).passages;
        passages.iter().map(|passage| passage.text.as_str()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn tags_scripts_and_entities_do_not_reach_the_text() {
        let html = "<html><head><title>Backup &amp; restore</title><style>p{}</style></head>\n<body>\n\
            <h1>First<b>ly</b></h1><p>Stop the\nhub, then c<i>op</i>y.</p><script>if (a < b) evil()</script>\n\
            <ul><li>one</li><li>two &#8594; three &notin; &frac12;</li></ul></body>";
        let split = split(html, 10);
        assert_eq!(split.title.as_deref(), Some("Backup & restore"));
        let passage = &split.passages[0];
        assert!(passage.text.contains("Stop the hub, then copy."), "{passage:?}");
        assert!(passage.text.contains("two → three ∉ ½"), "{passage:?}");
        assert!(!passage.text.contains("evil") && !passage.text.contains('<'), "{passage:?}");
        assert_eq!((passage.heading.as_str(), passage.line_start, passage.line_end), ("Firstly", 3, 5));
    }

    #[test]
    fn lines_are_those_of_the_source() {
        let filler = "words enough to end a passage of its own before a heading comes";
        let html = format!(
            "<!-- a\ncomment -->\r\n<p class='x\ny'>{filler}</p>\r\n<h2>Next</h2>\n\n<pre>\none\ntwo</pre>"
        );
        let places: Vec<_> =
            split(&html, 10).passages.into_iter().map(|p| (p.line_start, p.line_end, p.text)).collect();
        assert_eq!(places, [(4, 4, filler.to_owned()), (5, 9, "Next\n\none\ntwo".to_owned())]);
    }

    #[test]
    fn skipped_elements_end_where_they_end() {
        assert_eq!(text("<svg><svg><title>no</title></svg>no</svg>yes"), "yes");
        assert_eq!(text("<script>'<p>no</p>'</script>yes<style/>too"), "yestoo");
        assert_eq!(text("<nav><script></nav></script>no</nav>yes"), "yes");
        assert_eq!(text("a<!-- <p> -->b<textarea><b></textarea>"), "ab<b>");
    }

    #[test]
    fn broken_html_is_read_as_far_as_it_goes() {
        for html in ["<", "a < b <", "<p", "<script>never closed", "&#0;&#xffffffff;&bogus;", "</", "<!--"] {
            split(html, 10);
        }
        assert_eq!(text("1 < 2 & 3"), "1 < 2 & 3");
    }

    #[test]
    fn deep_nesting_and_long_comments_are_no_matter() {
        let html = format!("{}deep<!--{}-->down", "<div>".repeat(200_000), "c".repeat(2_000_000));
        assert_eq!(text(&html), "deepdown");
    }

    #[test]
    fn a_tag_of_endless_attributes_ends_the_reading() {
        use std::fmt::Write as _;
        let mut html = "<p>before</p><p".to_owned();
        for number in 0..400_000 {
            write!(html, " a{number}").unwrap();
        }
        html.push_str(">after</p>");
        let split = split(&html, 10);
        assert!(split.cut);
        assert_eq!(split.passages[0].text, "before");
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(100))]
        #[test]
        fn no_text_breaks_it(
            text in "(.|\n|\r|[<>&\"'=/;#-]|<[a-z]{1,3}|</?(script|style|svg|title|h1|pre|nav|xmp|textarea)/?>|<!--|-->|<!\\[CDATA\\[|&[a-z]{2,5};|\0){0,200}",
        ) {
            let lines = u32::try_from(text.split('\n').count()).unwrap();
            for passage in split(&text, 10).passages {
                proptest::prop_assert!(1 <= passage.line_start && passage.line_start <= passage.line_end);
                proptest::prop_assert!(passage.line_end <= lines);
            }
        }
    }
}
