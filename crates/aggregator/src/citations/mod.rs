//! What the model's `[cite:n]` markers mean: where the sentence that they support begins and ends,
//! and which endpoint's share of the answer they are.
//!
//! One pass over the text, so that a hostile model cannot make it slow.

mod attribution;

use std::fmt::Write as _;

pub use attribution::profit_share;

/// An answer whose markers carry the range of the sentence that they support.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotated {
    /// The answer with every `[cite:n]` turned into `[cite:n-start:end]`. The offsets count Unicode
    /// code points of the text without markers.
    pub text: String,
    /// The document numbers of each marker, in the order of the text.
    pub markers: Vec<Vec<u32>>,
}

/// Annotates every `[cite:n]` and `[cite:n,m]` of an answer. Text without markers stays as it is.
///
/// A marker covers from the start of its sentence to the marker itself; one that stands after the
/// full stop covers the sentence that has just ended.
pub fn annotate(answer: &str) -> Annotated {
    let mut sentences = Sentences::default();
    let mut text = String::with_capacity(answer.len() + answer.len() / 8);
    let mut markers = Vec::new();
    let mut rest = answer;
    while let Some(at) = rest.find(OPEN) {
        let (before, marked) = rest.split_at(at);
        text.push_str(before);
        sentences.read(before);
        if let Some((numbers, after)) = read_marker(marked) {
            let end = sentences.position;
            // Writing to a String cannot fail.
            let _ = write!(text, "{OPEN}{numbers}-{}:{end}]", sentences.start());
            markers.push(numbers.split(',').filter_map(|number| number.parse().ok()).collect());
            rest = after;
        } else {
            text.push_str(OPEN);
            sentences.read(OPEN);
            rest = &marked[OPEN.len()..];
        }
    }
    text.push_str(rest);
    Annotated { text, markers }
}

const OPEN: &str = "[cite:";

/// Longest list of numbers that is taken for a marker, in bytes.
const MAX_NUMBERS: usize = 200;

/// Reads `[cite:1,2]` at the start of `text`: the numbers without blanks, and what follows. Blanks may
/// stand around the commas only: `1 2` is two numbers to a reader and must not become document 12.
fn read_marker(text: &str) -> Option<(String, &str)> {
    let body = text.strip_prefix(OPEN)?;
    let length = body.bytes().take(MAX_NUMBERS + 1).position(|byte| byte == b']')?;
    let (numbers, after) = (&body[..length], &body[length + 1..]);
    let mut list = String::with_capacity(length);
    for number in numbers.split(',').map(|part| part.trim_matches(' ')).filter(|part| !part.is_empty()) {
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        if !list.is_empty() {
            list.push(',');
        }
        list.push_str(number);
    }
    (!list.is_empty()).then_some((list, after))
}

/// Follows the clean text and knows where the sentence in hand began.
#[derive(Debug)]
struct Sentences {
    /// Code points read so far.
    position: usize,
    /// First character of the sentence in hand; `None` right after an end.
    current: Option<usize>,
    /// Start of the sentence before it.
    previous: usize,
}

impl Default for Sentences {
    fn default() -> Self {
        Self { position: 0, current: Some(0), previous: 0 }
    }
}

impl Sentences {
    fn read(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '.' | '!' | '?' | '\n' => {
                    self.previous = self.current.take().unwrap_or(self.previous);
                }
                ' ' | '\t' => {}
                _ => {
                    self.current.get_or_insert(self.position);
                }
            }
            self.position += 1;
        }
    }

    fn start(&self) -> usize {
        self.current.unwrap_or(self.previous)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn marks_the_sentence_before_the_full_stop() {
        assert_eq!(annotate("Python is a language [cite:0].").text, "Python is a language [cite:0-0:21].");
        assert_eq!(
            annotate("First claim [cite:0]. Second claim [cite:1].").text,
            "First claim [cite:0-0:12]. Second claim [cite:1-14:27]."
        );
        let combined = annotate("A combined claim [cite:0,1].");
        assert!(combined.text.contains("[cite:0,1-"), "{}", combined.text);
        assert_eq!(combined.markers, [[0, 1]]);
    }

    #[test]
    fn a_marker_after_the_full_stop_covers_the_sentence_that_ended() {
        assert_eq!(annotate("Claim. [cite:1]").text, "Claim. [cite:1-0:7]");
        assert_eq!(
            annotate("One. Two?! [cite:1][cite:2] Three").text,
            "One. Two?! [cite:1-5:11][cite:2-5:11] Three"
        );
        assert_eq!(annotate("[cite:1]").text, "[cite:1-0:0]");
    }

    #[test]
    fn offsets_count_code_points() {
        assert_eq!(annotate("Grüße 🎈 [cite:1].").text, "Grüße 🎈 [cite:1-0:8].");
    }

    #[test]
    fn what_is_no_marker_stays() {
        for text in [
            "plain",
            "[cite:]",
            "[cite:,]",
            "[cite:a]",
            "[cite:1",
            "[cite:[cite:x]",
            "[CITE:1]",
            "[cite:1 2]",
            "[cite:3,1 2]",
        ] {
            assert_eq!(annotate(text), Annotated { text: text.to_owned(), markers: vec![] });
        }
        assert_eq!(annotate("a [cite:1, 2]").text, "a [cite:1,2-0:2]");
        assert_eq!(annotate("a [cite: 1 ,, 2, ]").text, "a [cite:1,2-0:2]");
        assert_eq!(annotate("[cite:x [cite:3]").markers, [[3]]);
    }

    #[test]
    fn a_number_that_is_too_large_is_no_document() {
        assert_eq!(annotate("x [cite:99999999999999999999,2]").markers, [[2]]);
    }

    fn strip(answer: &str) -> String {
        let mut text = String::with_capacity(answer.len());
        let mut rest = answer;
        while let Some(at) = rest.find(OPEN) {
            let (before, marked) = rest.split_at(at);
            text.push_str(before);
            if let Some((_, after)) = read_marker(marked) {
                rest = after;
            } else {
                text.push_str(OPEN);
                rest = &marked[OPEN.len()..];
            }
        }
        text.push_str(rest);
        text
    }

    fn strip_annotated(text: &str) -> String {
        let mut clean = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(OPEN) {
            clean.push_str(&rest[..at]);
            let marked = &rest[at..];
            let end = marked.find(']').filter(|end| {
                let body = &marked[OPEN.len()..*end];
                body.contains(':') && body.bytes().all(|b| b.is_ascii_digit() || b",-:".contains(&b))
            });
            if let Some(end) = end {
                rest = &marked[end + 1..];
            } else {
                clean.push_str(OPEN);
                rest = &marked[OPEN.len()..];
            }
        }
        clean + rest
    }

    proptest! {
        #[test]
        fn annotation_leaves_the_clean_text_intact(
            parts in prop::collection::vec(
                prop_oneof![
                    "[a-zäß🎈 .!?\n\t]{0,12}",
                    Just("[cite:1]".to_owned()),
                    Just("[cite:2,3]".to_owned()),
                    Just("[cite:".to_owned()),
                ],
                0..30,
            )
        ) {
            let answer = parts.concat();
            let annotated = annotate(&answer);
            prop_assert_eq!(strip_annotated(&annotated.text), strip(&answer));
        }

        #[test]
        fn every_range_lies_in_the_clean_text(answer in "([a-z .]{0,9}(\\[cite:1\\])?){0,20}") {
            let length = strip(&answer).chars().count();
            let annotated = annotate(&answer);
            for marker in annotated.text.split("[cite:1-").skip(1) {
                let (start, rest) = marker.split_once(':').unwrap();
                let end: usize = rest.split_once(']').unwrap().0.parse().unwrap();
                prop_assert!(start.parse::<usize>().unwrap() <= end && end <= length);
            }
        }
    }
}
