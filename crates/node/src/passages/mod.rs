//! Splits a document into passages of about a thousand characters, each with its place in the file.

mod format;
mod html;
mod markdown;
mod packer;
mod plain;
mod rows;

pub(crate) use format::Format;

/// At most this many passages of one file are kept (about 2 MB of text); the rest is left out and the
/// file is counted as indexed in part.
pub(crate) const MAX_PASSAGES: usize = 2_000;

/// A piece of a document that can be found and cited.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Passage {
    /// The heading it stands under, when the format has headings.
    pub(crate) heading: String,
    /// First line in the file, from 1.
    pub(crate) line_start: u32,
    /// Last line in the file.
    pub(crate) line_end: u32,
    /// The text.
    pub(crate) text: String,
}

/// What was found in a document.
#[derive(Debug, Clone, Default)]
pub(crate) struct Split {
    /// The document's own title, if it has one.
    pub(crate) title: Option<String>,
    /// The passages, in order.
    pub(crate) passages: Vec<Passage>,
    /// Whether passages beyond the maximum were left out.
    pub(crate) cut: bool,
}

/// Splits `text`; keeps at most `max` passages.
pub(crate) fn split(format: Format, text: &str, max: usize) -> Split {
    match format {
        Format::Markdown => markdown::split(text, max),
        Format::Html => html::split(text, max),
        Format::Csv(delimiter) => rows::split_csv(text, delimiter, max),
        Format::Json => rows::split_json(text, max),
        Format::Text => plain::split(text, true, max),
        Format::Code | Format::Unknown => plain::split(text, false, max),
    }
}

/// A one-line title of at most 200 bytes.
fn tidy_title(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().take(40).collect();
    let line = words.join(" ");
    let title = crate::text::clip(line.trim_matches(['#', '=', '*', '_', ' ']), 200);
    (!title.is_empty()).then(|| title.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(60))]
        #[test]
        fn every_format_splits_every_text_into_bounded_passages(
            text in "([a-zA-Z<>#&;,\"{}\\[\\]/ \n=\u{e9}-]|\n\n|\n# |<p>|</p>|<h1>|```){0,600}",
        ) {
            let formats = [Format::Markdown, Format::Html, Format::Csv(b','), Format::Json, Format::Text, Format::Code];
            let lines = u32::try_from(text.split('\n').count()).unwrap();
            for format in formats {
                for passage in split(format, &text, 10).passages {
                    proptest::prop_assert!(passage.text.len() <= 1_600, "{format:?} {}", passage.text.len());
                    proptest::prop_assert!(!passage.text.trim().is_empty());
                    proptest::prop_assert!(1 <= passage.line_start && passage.line_start <= passage.line_end);
                    proptest::prop_assert!(passage.line_end <= lines, "{format:?} {passage:?} of {lines}");
                }
            }
        }
    }

    #[test]
    fn plain_words_all_survive_the_split() {
        let words: Vec<String> =
            (0..5_000).map(|i| format!("word{i}{}", if i % 9 == 0 { "\n" } else { " " })).collect();
        let passages = split(Format::Text, &words.concat(), MAX_PASSAGES).passages;
        let all = passages.iter().map(|passage| passage.text.as_str()).collect::<Vec<_>>().join(" ");
        for i in 0..5_000 {
            assert!(all.contains(&format!("word{i}")), "{i}");
        }
    }
}
