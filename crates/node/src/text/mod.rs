//! Words of natural language: the same view of a text for the index, for scoring and for `extract`.

mod stem;
mod stop;
mod variants;

use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

pub(crate) use stem::stem;
pub(crate) use stop::is_stop_word;
pub(crate) use variants::variants;

/// At most this many different words of a question are looked at.
const MAX_TERMS: usize = 24;

/// One informative word of a question with the spellings and close words that count as the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Term {
    /// Lower-case words; the first is the one that was asked.
    pub(crate) words: Vec<String>,
    /// The stems of `words`, without doubles.
    pub(crate) stems: Vec<String>,
}

/// Lower-case words of `text`: runs of letters and digits, without diacritics, like the tokenizer of
/// the index cuts them.
pub(crate) fn for_each_word(text: &str, mut take: impl FnMut(&str)) {
    let mut word = String::with_capacity(24);
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            word.push(c.to_ascii_lowercase());
        } else if !c.is_ascii() && (c.is_alphanumeric() || is_combining_mark(c)) {
            let folded = c.nfd().filter(|part| !is_combining_mark(*part));
            word.extend(folded.flat_map(char::to_lowercase));
        } else if !word.is_empty() {
            take(&word);
            word.clear();
        }
    }
    if !word.is_empty() {
        take(&word);
    }
}

/// The stems of all words of `text`, in order.
pub(crate) fn stems(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for_each_word(text, |word| found.push(stem(word)));
    found
}

/// The informative words of a question. Stop words are left out unless the question holds nothing else.
pub(crate) fn terms(question: &str) -> Vec<Term> {
    let mut words = Vec::new();
    for_each_word(question, |word| words.push(word.to_owned()));
    let informative: Vec<&String> = words.iter().filter(|word| !is_stop_word(word)).collect();
    let chosen = if informative.is_empty() { words.iter().collect() } else { informative };
    let mut seen = HashSet::new();
    let mut terms = Vec::new();
    for word in chosen {
        let words = variants(word);
        let mut stems: Vec<String> = words.iter().map(|word| stem(word)).collect();
        stems.dedup();
        if stems.iter().any(|stem| seen.contains(stem)) {
            continue;
        }
        seen.extend(stems.iter().cloned());
        terms.push(Term { words, stems });
        if terms.len() == MAX_TERMS {
            break;
        }
    }
    terms
}

/// At most `max` bytes of `text`, cut at a character boundary.
pub(crate) fn clip(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_folded_and_cut_like_the_index_cuts_them() {
        let mut words = Vec::new();
        for_each_word("Crème-brûlée_2 ДОМ\u{0}x", |word| words.push(word.to_owned()));
        assert_eq!(words, ["creme", "brulee", "2", "дом", "x"]);
    }

    #[test]
    fn a_question_keeps_its_informative_words_only() {
        let words: Vec<String> = terms("Under which licence is bash distributed, and is Bash licensed?")
            .into_iter()
            .map(|term| term.words[0].clone())
            .collect();
        assert_eq!(words, ["licence", "bash", "distributed"]);
    }

    #[test]
    fn a_question_of_stop_words_is_still_a_question() {
        assert_eq!(terms("what is it").len(), 3);
        assert!(terms("?!").is_empty());
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_the_cutter(text in ".{0,200}") {
            for term in terms(&text) {
                proptest::prop_assert!(term.words.iter().all(|word| !word.contains(['"', ' ', '\0'])));
            }
            proptest::prop_assert!(clip(&text, 10).len() <= 10);
        }
    }
}
