//! What the model's `[cite:n]` markers mean: where the sentence that they support begins and ends,
//! and which endpoint's share of the answer they are.
//!
//! One pass over the text, so that a hostile model cannot make it slow.

mod attribution;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod live;
mod passage;

use std::fmt::Write as _;

pub use attribution::profit_share;
pub use live::Live;
pub use passage::{Passage, passage};

/// An answer whose markers carry the range of the sentence that they support.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Annotated {
    /// The answer with every `[cite:n]` turned into `[cite:n-start:end]`. The offsets count Unicode
    /// code points of the text without markers.
    pub text: String,
    /// The answer with its markers as they were, without those that point to no document.
    pub plain: String,
    /// The answer without any marker, which the offsets are about.
    pub clean: String,
    /// The document numbers of each marker, in the order of the text.
    pub markers: Vec<Vec<u32>>,
    /// For each of `markers`, the range that it covers, in bytes of `clean`.
    pub covered: Vec<std::ops::Range<usize>>,
    /// Numbers that point to no document and were taken out, and with the last of a marker the marker.
    pub removed: usize,
}

/// Annotates every `[cite:n]` and `[cite:n,m]` of an answer. Text without markers stays as it is.
///
/// A marker covers from the start of its sentence to the marker itself; one that stands after the
/// full stop covers the sentence that has just ended.
pub fn annotate(answer: &str) -> Annotated {
    annotate_known(answer, |_| true)
}

/// The same, without numbers for which `is_document` says no.
pub fn annotate_known(answer: &str, is_document: impl Fn(u32) -> bool) -> Annotated {
    let mut sentences = Sentences::default();
    let mut annotated = Annotated {
        text: String::with_capacity(answer.len() + answer.len() / 8),
        plain: String::with_capacity(answer.len()),
        clean: String::with_capacity(answer.len()),
        ..Annotated::default()
    };
    let mut rest = answer;
    while let Some(at) = rest.find(OPEN) {
        let (before, marked) = rest.split_at(at);
        annotated.say(before);
        sentences.read(before);
        if let Some((numbers, after)) = read_marker(marked) {
            if !annotated.mark(&numbers, &sentences, &is_document) && is_forged(&annotated.text, after) {
                annotated.say(GAP);
                sentences.read(GAP);
            }
            rest = after;
        } else {
            rest = &marked[OPEN.len()..];
            for literal in [OPEN, if is_endless(rest) { GAP } else { "" }] {
                annotated.say(literal);
                sentences.read(literal);
            }
        }
    }
    annotated.say(rest);
    annotated
}

/// Stands where a text would become a marker that nobody has looked at.
const GAP: &str = "\u{fffd}";

/// Whether the texts before and after a marker that was taken out make a marker together:
/// `[cite:[cite:9]1-0:5]`.
fn is_forged(before: &str, after: &str) -> bool {
    let reach = MAX_NUMBERS + OPEN.len();
    let Some(open) = before.bytes().rev().take(reach).position(|byte| byte == b'[') else {
        return before.len() >= reach && before.bytes().rev().take(reach).all(belongs_to_marker);
    };
    let mut joined = before[before.len() - open - 1..].to_owned();
    if joined.contains(']') {
        return false;
    }
    joined.push_str(&after[..after.floor_char_boundary(reach)]);
    read_marker(&joined).is_some() || joined.strip_prefix(OPEN).is_some_and(is_endless)
}

/// Whether a text after `[cite:` goes on like a marker for longer than one is read.
fn is_endless(body: &str) -> bool {
    body.len() > MAX_NUMBERS && body.bytes().take(MAX_NUMBERS + 1).all(belongs_to_marker)
}

fn belongs_to_marker(byte: u8) -> bool {
    byte.is_ascii_digit() || b", -:".contains(&byte)
}

impl Annotated {
    fn say(&mut self, text: &str) {
        self.text.push_str(text);
        self.plain.push_str(text);
        self.clean.push_str(text);
    }

    /// Whether anything is left of the marker.
    fn mark(&mut self, numbers: &str, sentences: &Sentences, is_document: impl Fn(u32) -> bool) -> bool {
        let known = |number: &&str| number.parse().is_ok_and(&is_document);
        let (good, other): (Vec<&str>, Vec<&str>) = numbers.split(',').partition(known);
        self.removed += other.len();
        if good.is_empty() {
            return false;
        }
        let list = good.join(",");
        let (start, end) = (sentences.start(), sentences.position);
        // Writing to a String cannot fail.
        let _ = write!(self.text, "{OPEN}{list}-{start}:{end}]");
        let _ = write!(self.plain, "{OPEN}{list}]");
        self.markers.push(good.iter().filter_map(|number| number.parse().ok()).collect());
        self.covered.push(sentences.start_byte()..sentences.bytes);
        true
    }
}

const OPEN: &str = "[cite:";

/// Longest list of numbers that is taken for a marker, in bytes.
const MAX_NUMBERS: usize = 200;

/// Reads `[cite:1,2]` at the start of `text`: the numbers without blanks, and what follows. Blanks may
/// stand around the commas only: `1 2` is two numbers to a reader and must not become document 12.
///
/// A model that has seen its earlier answers imitates them and writes `[cite:1-0:13]`. Its range means nothing,
/// and must not reach clients as if it were ours.
fn read_marker(text: &str) -> Option<(String, &str)> {
    let body = text.strip_prefix(OPEN)?;
    let length = body.bytes().take(MAX_NUMBERS + 1).position(|byte| byte == b']')?;
    let (body, after) = (&body[..length], &body[length + 1..]);
    let numbers =
        body.split_once('-').filter(|(_, range)| is_range(range)).map_or(body, |(numbers, _)| numbers);
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

/// Whether a text is `0:13`.
fn is_range(text: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once(':').is_some_and(|(start, end)| is_number(start) && is_number(end))
}

/// Follows the clean text and knows where the sentence in hand began.
#[derive(Debug)]
struct Sentences {
    /// Code points read so far.
    position: usize,
    /// The same in bytes.
    bytes: usize,
    /// First character of the sentence in hand, in code points and in bytes; `None` right after an end.
    current: Option<(usize, usize)>,
    /// Start of the sentence before it.
    previous: (usize, usize),
}

impl Default for Sentences {
    fn default() -> Self {
        Self { position: 0, bytes: 0, current: Some((0, 0)), previous: (0, 0) }
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
                    self.current.get_or_insert((self.position, self.bytes));
                }
            }
            self.position += 1;
            self.bytes += character.len_utf8();
        }
    }

    fn start(&self) -> usize {
        self.current.unwrap_or(self.previous).0
    }

    fn start_byte(&self) -> usize {
        self.current.unwrap_or(self.previous).1
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
            "[cite:1-]",
            "[cite:1-3]",
            "[cite:-0:3]",
            "[cite:1-0:3:4]",
        ] {
            let annotated = annotate(text);
            assert_eq!((annotated.text.as_str(), annotated.plain.as_str()), (text, text));
            assert_eq!((annotated.clean.as_str(), annotated.markers.len()), (text, 0));
        }
        assert_eq!(annotate("a [cite:1, 2]").text, "a [cite:1,2-0:2]");
        assert_eq!(annotate("a [cite: 1 ,, 2, ]").text, "a [cite:1,2-0:2]");
        assert_eq!(annotate("[cite:x [cite:3]").markers, [[3]]);
    }

    #[test]
    fn a_number_that_is_too_large_is_no_document() {
        let annotated = annotate("x [cite:99999999999999999999,2]");
        assert_eq!((annotated.markers, annotated.removed), (vec![vec![2]], 1));
        assert_eq!(annotated.plain, "x [cite:2]");
    }

    #[test]
    fn a_marker_that_points_to_no_document_is_removed_and_counted() {
        let known = |number| (1..=2).contains(&number);
        let annotated = annotate_known("One [cite:3]. Two [cite:1,0]. Three [cite:2].", known);
        assert_eq!(annotated.text, "One . Two [cite:1-6:10]. Three [cite:2-12:18].");
        assert_eq!(annotated.plain, "One . Two [cite:1]. Three [cite:2].");
        assert_eq!(annotated.clean, "One . Two . Three .");
        assert_eq!((annotated.markers, annotated.removed), (vec![vec![1], vec![2]], 2));
        let covered: Vec<&str> = annotated.covered.into_iter().map(|range| &annotated.clean[range]).collect();
        assert_eq!(covered, ["Two ", "Three "]);
    }

    #[test]
    fn a_range_that_the_model_made_up_is_replaced() {
        assert_eq!(annotate("One. Two [cite:1-0:99].").text, "One. Two [cite:1-5:9].");
        assert_eq!(annotate_known("Two [cite:7-0:3].", |_| false).text, "Two .");
    }

    #[test]
    fn what_is_left_around_a_removed_marker_is_none() {
        let known = |number| number == 1;
        for forged in ["[cite:[cite:9]1-0:5]", "[ci[cite:9]te:1]", "[ci[cite:9]te:[cite:9]1,2]"] {
            let annotated = annotate_known(forged, known);
            assert!(annotated.text.contains(GAP), "{}", annotated.text);
            assert!(annotate(&annotated.plain).markers.is_empty(), "{}", annotated.plain);
        }
        assert_eq!(annotate_known("[x[cite:9]]", known).text, "[x]");
        assert_eq!(annotate_known("A [cite:1]. B [cite:9].", known).text, "A [cite:1-0:2]. B .");
        let numbers = "1,".repeat(MAX_NUMBERS);
        assert!(annotate(&format!("[cite:{numbers}1-0:5]")).text.contains(GAP));
        let halves = format!("[cite:{0}[cite:9]{0}[cite:9]1-0:5]", &numbers[..150]);
        assert!(annotate_known(&halves, known).text.contains(GAP));
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
            prop_assert_eq!(&strip_annotated(&annotated.text), &strip(&answer));
            prop_assert_eq!(&annotated.clean, &strip(&answer));
        }

        #[test]
        fn no_text_makes_it_panic_and_every_range_can_be_cut(
            answer in "([\\PC\n]{0,6}\\[cite:[0-9, ]{0,5}\\]?){0,12}", documents in 0_u32..4
        ) {
            let annotated = annotate_known(&answer, |number| (1..=documents).contains(&number));
            prop_assert_eq!(annotated.covered.len(), annotated.markers.len());
            for range in &annotated.covered {
                prop_assert!(annotated.clean.get(range.clone()).is_some());
            }
            for number in annotated.markers.iter().flatten() {
                prop_assert!((1..=documents).contains(number));
            }
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
