//! Markdown of strangers as HTML that cannot harm.
//!
//! Three steps: the Markdown parser makes events; tags among them that are not on the list become text, so that a
//! reader sees what was written; and a sanitiser that knows HTML by heart has the last word over the result.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use ammonia::{Builder, UrlRelative};
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

/// Tags that a long text may have, in its Markdown or as HTML. No images: they would tell their server who reads.
const TAGS: &[&str] = &[
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "p",
    "div",
    "span",
    "br",
    "hr",
    "ul",
    "ol",
    "li",
    "strong",
    "em",
    "b",
    "i",
    "u",
    "s",
    "del",
    "ins",
    "mark",
    "sub",
    "sup",
    "small",
    "pre",
    "code",
    "a",
    "table",
    "thead",
    "tbody",
    "tfoot",
    "tr",
    "th",
    "td",
    "caption",
    "colgroup",
    "col",
    "blockquote",
    "dl",
    "dt",
    "dd",
    "abbr",
    "kbd",
    "samp",
    "var",
    "details",
    "summary",
];
/// Attributes of single tags; every tag has `class` and `id`.
const ATTRIBUTES: &[(&str, &[&str])] = &[
    ("a", &["href", "title", "target"]), // and `rel`, which the sanitiser sets
    ("abbr", &["title"]),
    ("th", &["scope", "colspan", "rowspan"]),
    ("td", &["colspan", "rowspan"]),
    ("col", &["span"]),
    ("colgroup", &["span"]),
];
const SCHEMES: &[&str] = &["http", "https", "mailto", "ftp"];
/// Tags that end by themselves.
const VOID: &[&str] = &["br", "hr", "col"];
/// Tags that a browser opens again in every later paragraph when they are left open, which multiplies them.
const REOPENED: &[&str] = &["a", "b", "code", "em", "i", "s", "small", "strong", "u"];

/// Deepest nesting that is shown; what is deeper is shown flat. Parsers of HTML get slow on deep trees.
const MAX_DEPTH: usize = 32;
/// Most HTML tags in one text; the rest is shown as text.
const MAX_TAGS: usize = 1_000;
/// Most cells of tables in one text; what is in the others is shown without them. Missing cells of a row are added,
/// so that a short text can ask for hundreds of thousands.
const MAX_CELLS: usize = 5_000;
/// Longest HTML tag.
const MAX_TAG_LENGTH: usize = 2_000;

static SANITIZER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::empty();
    let attributes: HashMap<_, HashSet<_>> =
        ATTRIBUTES.iter().map(|(tag, names)| (*tag, names.iter().copied().collect())).collect();
    builder
        .tags(TAGS.iter().copied().collect())
        .clean_content_tags(["script", "style"].into())
        .tag_attributes(attributes)
        .generic_attributes(["class", "id"].into())
        .url_schemes(SCHEMES.iter().copied().collect())
        .url_relative(UrlRelative::PassThrough)
        .link_rel(Some("noopener noreferrer nofollow"));
    builder
});

/// Renders a long text.
pub(super) fn render(markdown: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_FOOTNOTES;
    let mut filter = Filter::default();
    for event in Parser::new_ext(markdown, options) {
        filter.take(event);
    }
    filter.end_html_block();
    filter.close_all();
    let mut out = String::with_capacity(markdown.len() * 2);
    html::push_html(&mut out, filter.events.into_iter());
    SANITIZER.clean(&out).to_string()
}

/// Passes on what may be shown and turns the rest into text.
#[derive(Debug, Default)]
struct Filter<'a> {
    events: Vec<Event<'a>>,
    depth: usize,
    /// An HTML block comes line by line, and a tag may span lines.
    html_block: String,
    /// Tags that were written as HTML and are open.
    open: Vec<&'static str>,
    tags: usize,
    cells: usize,
}

impl<'a> Filter<'a> {
    fn take(&mut self, event: Event<'a>) {
        if let Event::Html(line) = &event {
            self.html_block.push_str(line);
            return;
        }
        self.end_html_block();
        match event {
            Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => {} // its text stays
            Event::Start(Tag::TableCell) if self.cells >= MAX_CELLS => self.cells = MAX_CELLS + 1,
            Event::End(TagEnd::TableCell) if self.cells > MAX_CELLS => self.close_formatting(),
            Event::Start(tag) => {
                self.cells += usize::from(tag == Tag::TableCell);
                self.depth += 1;
                if self.depth <= MAX_DEPTH {
                    self.events.push(Event::Start(tag));
                }
            }
            Event::End(tag) => {
                self.close_formatting();
                if self.depth <= MAX_DEPTH {
                    self.events.push(Event::End(tag));
                }
                self.depth = self.depth.saturating_sub(1);
            }
            Event::InlineHtml(tag) => self.push_html(&tag),
            other => self.events.push(other),
        }
    }

    fn end_html_block(&mut self) {
        if !self.html_block.is_empty() {
            let block = std::mem::take(&mut self.html_block);
            self.push_html(&block);
            self.close_formatting();
        }
    }

    /// Closes what a browser would carry on into the next paragraph.
    fn close_formatting(&mut self) {
        while let Some(name) = self.open.pop_if(|name| REOPENED.contains(name)) {
            self.events.push(Event::Html(format!("</{name}>").into()));
        }
    }

    fn close_all(&mut self) {
        while let Some(name) = self.open.pop() {
            self.events.push(Event::Html(format!("</{name}>").into()));
        }
    }

    fn push_html(&mut self, html: &str) {
        let mut out = String::with_capacity(html.len() + 16);
        let mut rest = html;
        while let Some((before, after)) = rest.split_once('<') {
            out.push_str(before);
            if let Some(comment) = after.strip_prefix("!--") {
                rest = comment.split_once("-->").map_or("", |(_, rest)| rest);
                continue;
            }
            if let Some(tag) = RawTag::read(after).filter(|tag| self.admits(tag)) {
                out.push('<');
                out.push_str(tag.text);
                rest = after.strip_prefix(tag.text).unwrap_or_default();
            } else {
                out.push_str("&lt;");
                rest = after;
            }
        }
        out.push_str(rest);
        self.events.push(Event::Html(CowStr::from(out)));
    }

    /// Whether the tag is shown as a tag; notes that it is open or closed.
    fn admits(&mut self, tag: &RawTag<'_>) -> bool {
        let Some(name) = TAGS.iter().copied().find(|name| tag.name.eq_ignore_ascii_case(name)) else {
            return false;
        };
        self.tags += 1;
        if self.tags > MAX_TAGS {
            return false;
        }
        if tag.closes {
            if let Some(place) = self.open.iter().rposition(|open| *open == name) {
                self.open.remove(place);
            }
        } else if !VOID.contains(&name) {
            if self.open.len() >= MAX_DEPTH {
                return false;
            }
            self.open.push(name);
        }
        true
    }
}

/// A tag as it was written, without its first `<`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RawTag<'a> {
    text: &'a str,
    name: &'a str,
    closes: bool,
}

impl<'a> RawTag<'a> {
    fn read(after: &'a str) -> Option<Self> {
        let (closes, rest) = match after.strip_prefix('/') {
            Some(rest) => (true, rest),
            None => (false, after),
        };
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric())?;
        let (name, attributes) = rest.split_at(length);
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic());
        if !starts || !attributes.starts_with([' ', '\t', '\r', '\n', '\u{c}', '/', '>']) {
            return None;
        }
        let mut quote = None;
        for (at, c) in attributes.char_indices().take(MAX_TAG_LENGTH) {
            match quote {
                Some(open) if c == open => quote = None,
                None if c == '"' || c == '\'' => quote = Some(c),
                None if c == '>' => {
                    let text = after.get(..after.len() - attributes.len() + at + 1)?;
                    return Some(Self { text, name, closes });
                }
                Some(_) | None => {}
            }
        }
        None
    }
}

#[cfg(test)]
#[path = "readme_tests.rs"]
mod tests;
