//! How much of documents and history fits beside the question and the answer.

use super::estimate::{Meter, tokens};

/// What a message takes besides its text.
pub(super) const MESSAGE: usize = 8;
/// Less room than this is not worth a document.
pub(super) const LEAST_DOCUMENT: usize = 60;
/// What stands where text was cut.
const CUT: &str = " …";

/// Tokens of one request to a model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// All of them.
    context: usize,
    /// Those that the answer may take.
    answer: usize,
}

impl Budget {
    /// `context` tokens in all, of which the answer gets what was asked for, but not more than half.
    pub(crate) fn new(context: u32, max_tokens: u32) -> Self {
        let size = |tokens: u32| usize::try_from(tokens).unwrap_or(usize::MAX);
        Self { context: size(context), answer: size(max_tokens).min(size(context) / 2) }
    }

    /// What is left when `fixed` tokens are spoken for, of which `least` must be left.
    pub(super) fn room(self, fixed: usize, least: usize) -> Result<usize, TooLong> {
        let limit = self.context - self.answer;
        match limit.checked_sub(fixed) {
            Some(room) if room >= least => Ok(room),
            _ => Err(TooLong { takes: fixed + least, limit }),
        }
    }
}

/// Question and system text leave no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "The question with its system prompt takes about {takes} tokens and only {limit} fit beside the answer; \
     shorten them or ask for fewer max_tokens"
)]
pub(crate) struct TooLong {
    takes: usize,
    limit: usize,
}

/// Takes tokens until there are none left.
#[derive(Debug)]
pub(super) struct Purse(pub(super) usize);

impl Purse {
    /// Pays for `text`, if there is enough.
    pub(super) fn pay(&mut self, text: &str) -> bool {
        match self.0.checked_sub(tokens(text)) {
            Some(left) => {
                self.0 = left;
                true
            }
            None => false,
        }
    }

    /// Pays for what `render` makes of `text` or, when that is too much, of its beginning; then the purse
    /// counts as empty. `None` when not even that is worth it.
    pub(super) fn pay_for_start(&mut self, text: &str, render: impl Fn(&str) -> String) -> Option<String> {
        let whole = render(text);
        if self.pay(&whole) {
            return Some(whole);
        }
        // Rendering adds to the text, rarely much.
        let mut limit = self.0.saturating_sub(tokens(&render("")) + tokens(CUT));
        while limit >= LEAST_DOCUMENT / 2 {
            let part = render(&format!("{}{CUT}", start_of(text, limit)));
            if self.pay(&part) {
                self.0 = 0;
                return Some(part);
            }
            limit /= 2;
        }
        None
    }
}

/// The beginning of `text` that takes at most `limit` tokens: up to the end of a sentence if one ends in
/// its second half, else up to the end of a word, else as far as it goes.
fn start_of(text: &str, limit: usize) -> &str {
    let mut meter = Meter::default();
    let (mut sentence, mut word, mut last) = (0, 0, ' ');
    let mut reached = text.len();
    for (at, character) in text.char_indices() {
        if character.is_whitespace() && !last.is_whitespace() {
            word = at;
            if ends_sentence(last) {
                sentence = at;
            }
        }
        meter.read(character);
        if meter.tokens() > limit {
            reached = at;
            break;
        }
        if matches!(character, '。' | '！' | '？') {
            sentence = at + character.len_utf8();
        }
        last = character;
    }
    let is_far = |at: usize| at * 2 >= reached;
    let end = [sentence, word].into_iter().find(|at| is_far(*at)).unwrap_or(reached);
    if reached == text.len() { text } else { &text[..end] }
}

fn ends_sentence(character: char) -> bool {
    matches!(character, '.' | '!' | '?' | '…' | ':' | '\u{b6}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_are_cut_at_the_end_of_a_sentence() {
        let text = "One sentence stands here. Another one follows it. And this one is not complete any more";
        let limit = tokens("One sentence stands here. Another one follows it. And this one");
        assert_eq!(start_of(text, limit), "One sentence stands here. Another one follows it.");
        assert_eq!(start_of("no sentence ends before the end comes", 12), "no sentence ends");
        assert_eq!(start_of("备份数据库。恢复数据库", 22), "备份数据库。");
        assert_eq!(start_of(text, 1_000), text);
        assert!(start_of(&"x".repeat(100), 20).len() > 5);
    }

    #[test]
    fn the_answer_gets_half_at_most() {
        let room = |max_tokens| Budget::new(4_000, max_tokens).room(1_000, 100);
        assert_eq!(room(1_000), Ok(2_000));
        assert_eq!(room(u32::MAX), Ok(1_000));
        let refusal = Budget::new(4_000, 1_024).room(2_950, 60).unwrap_err();
        assert!(refusal.to_string().contains("about 3010 tokens and only 2976 fit"), "{refusal}");
    }

    proptest! {
        #[test]
        fn a_start_fits_and_is_a_start(text in any::<String>(), limit in 0_usize..40) {
            let start = start_of(&text, limit);
            prop_assert!(text.starts_with(start));
            prop_assert!(start == text || tokens(start) <= limit + 1);
        }

        #[test]
        fn nobody_pays_more_than_they_have(text in "[a-z<>&.\"é ]{0,400}", purse in 0_usize..200) {
            let mut left = Purse(purse);
            let render = |text: &str| format!("[1]: {}\n", text.replace('<', "&lt;").replace('"', "&quot;"));
            let paid = left.pay_for_start(&text, render).map_or(0, |line| tokens(&line));
            prop_assert!(left.0 + paid <= purse);
        }
    }
}
