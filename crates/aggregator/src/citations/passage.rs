//! Which part of a document supports what cites it.

use std::collections::HashSet;

/// Longest passage, in code points.
const MAX_PASSAGE: usize = 600;
/// Most of a document that is looked at, in code points.
const MAX_LOOKED_AT: usize = 20_000;
/// Shorter words are mostly articles and prepositions.
const MIN_WORD: usize = 3;

/// A part of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// Its text.
    pub text: String,
    /// Where it begins in the document, in code points.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// The sentence of `document` that shares the most words with `claims`, the sentences that cite it; `None` when
/// none shares any. Of equals it is the first.
pub fn passage<'a>(document: &str, claims: impl IntoIterator<Item = &'a str>) -> Option<Passage> {
    let mut wanted = HashSet::new();
    for claim in claims {
        each_word(claim, |word| {
            wanted.insert(word.to_owned());
        });
    }
    let mut best: Option<(usize, Sentence<'_>)> = None;
    for sentence in Sentences::of(document) {
        let mut shared = HashSet::new();
        each_word(sentence.text, |word| {
            if let Some(word) = wanted.get(word) {
                shared.insert(word.as_str());
            }
        });
        if shared.len() > best.as_ref().map_or(0, |(most, _)| *most) {
            best = Some((shared.len(), sentence));
        }
    }
    let (_, sentence) = best?;
    let text: String = sentence.text.chars().take(MAX_PASSAGE).collect();
    let end = sentence.start + text.chars().count();
    Some(Passage { text, start: sentence.start, end })
}

/// Calls `visit` for each word in lower case; characters of scripts without blanks are not taken apart.
fn each_word(text: &str, mut visit: impl FnMut(&str)) {
    let mut word = String::new();
    for character in text.chars().chain([' ']) {
        if character.is_alphanumeric() {
            word.extend(character.to_lowercase());
        } else {
            if word.chars().count() >= MIN_WORD || !word.is_ascii() {
                visit(word.strip_suffix('s').filter(|stem| stem.len() > MIN_WORD).unwrap_or(&word));
            }
            word.clear();
        }
    }
}

/// A sentence without the blanks around it.
struct Sentence<'a> {
    text: &'a str,
    /// In code points of the document.
    start: usize,
}

/// Cuts a document at full stops and line ends.
struct Sentences<'a> {
    rest: &'a str,
    position: usize,
}

impl<'a> Sentences<'a> {
    fn of(document: &'a str) -> Self {
        Self { rest: document, position: 0 }
    }
}

impl<'a> Iterator for Sentences<'a> {
    type Item = Sentence<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() || self.position >= MAX_LOOKED_AT {
            return None;
        }
        let mut characters = self.rest.char_indices().peekable();
        let mut end = self.rest.len();
        while let Some((at, character)) = characters.next() {
            let is_end = match character {
                '\n' | '\u{3002}' | '\u{ff01}' | '\u{ff1f}' => true,
                // `3.5` and `e.g` go on.
                '.' | '!' | '?' => characters.peek().is_none_or(|(_, next)| next.is_whitespace()),
                _ => false,
            };
            if is_end {
                end = at + character.len_utf8();
                break;
            }
        }
        let (sentence, rest) = self.rest.split_at(end);
        let blanks = sentence.chars().take_while(|character| character.is_whitespace()).count();
        let start = self.position + blanks;
        self.position += sentence.chars().count();
        self.rest = rest;
        Some(Sentence { text: sentence.trim(), start })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HERONS: &str =
        "# Herons\n\nGrüße! The grey heron nests in tall trees. Herons eat fish, frogs and 3.5 mammals.";

    #[test]
    fn the_sentence_that_says_the_same_is_found() {
        let found = passage(HERONS, ["They eat fish "]).unwrap();
        assert_eq!(found.text, "Herons eat fish, frogs and 3.5 mammals.");
        let part: String = HERONS.chars().skip(found.start).take(found.end - found.start).collect();
        assert_eq!(part, found.text);
        assert_eq!(passage(HERONS, ["Nothing alike"]), None);
        assert_eq!(passage("", ["They eat fish"]), None);
        assert_eq!(passage(HERONS, []), None);
    }

    #[test]
    fn a_long_passage_is_cut() {
        let found = passage(&"herons ä ".repeat(1_000), ["heron"]).unwrap();
        assert_eq!((found.start, found.end), (0, MAX_PASSAGE));
    }

    proptest! {
        #[test]
        fn a_passage_is_a_part_of_its_document(
            document in "([a-cäß🎈]{0,4}[ .!?\n\u{3002}]{0,2}){0,20}", claim in "[a-cäß🎈 ]{0,10}"
        ) {
            if let Some(found) = passage(&document, [claim.as_str()]) {
                let part: String = document.chars().skip(found.start).take(found.end - found.start).collect();
                prop_assert_eq!(part, found.text);
            }
        }
    }
}
