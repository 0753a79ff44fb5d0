//! Finds documents that say the same thing in nearly the same words, whoever published them.
//!
//! Two documents are near-duplicates when their sets of five-word shingles overlap by four fifths (Jaccard)
//! and they name the same numbers: a changed price is news. Sets that overlap that much share one of
//! their smallest elements, so documents are compared only where those meet.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::rerank::each_word;

/// Words of a shingle.
const WORDS: usize = 5;
/// Overlap from which two documents count as one, in fifths.
const FIFTHS: usize = 4;

/// Takes documents best first and keeps those that are no near-duplicates of one that was kept before.
#[derive(Debug, Default)]
pub struct Distinct {
    kept: Vec<Fingerprint>,
    /// Which kept documents have a shingle among their smallest.
    by_shingle: HashMap<u64, Vec<usize>, BuildHasherDefault<Identity>>,
}

impl Distinct {
    /// Keeps `text` unless it is a near-duplicate; says whether it was kept. Text without words is
    /// always kept.
    pub fn keep(&mut self, text: &str) -> bool {
        let print = Fingerprint::of(text);
        let mut seen: Vec<usize> = print
            .prefix()
            .iter()
            .filter_map(|shingle| self.by_shingle.get(shingle))
            .flatten()
            .copied()
            .collect();
        seen.sort_unstable();
        seen.dedup();
        if seen.iter().any(|index| print.is_near(&self.kept[*index])) {
            return false;
        }
        for shingle in print.prefix() {
            self.by_shingle.entry(*shingle).or_default().push(self.kept.len());
        }
        self.kept.push(print);
        true
    }
}

/// What two documents are compared by.
#[derive(Debug)]
struct Fingerprint {
    /// Hashes of the shingles, in order and each once.
    shingles: Vec<u64>,
    /// The numbers in the text, in any order.
    numbers: u64,
}

impl Fingerprint {
    fn of(text: &str) -> Self {
        let mut words = Vec::with_capacity(text.len() / 5);
        let mut numbers = 0_u64;
        each_word(text, |word| {
            let hash = hash_of(word.as_bytes());
            if word.bytes().any(|byte| byte.is_ascii_digit()) {
                numbers = numbers.wrapping_add(mixed(hash));
            }
            words.push(hash);
        });
        let shingle = |words: &[u64]| words.iter().fold(0, |sum: u64, word| mixed(sum.rotate_left(5) ^ word));
        let mut shingles: Vec<u64> = match words.len() {
            0 => Vec::new(),
            1..=WORDS => vec![shingle(&words)],
            _ => words.windows(WORDS).map(shingle).collect(),
        };
        shingles.sort_unstable();
        shingles.dedup();
        Self { shingles, numbers }
    }

    /// The smallest shingles, one of which two near-duplicates have in common.
    fn prefix(&self) -> &[u64] {
        let count = self.shingles.len();
        let length = if count == 0 { 0 } else { count - (count * FIFTHS).div_ceil(5) + 1 };
        &self.shingles[..length]
    }

    fn is_near(&self, other: &Self) -> bool {
        let (mine, theirs) = (&self.shingles, &other.shingles);
        let least = mine.len().min(theirs.len());
        if self.numbers != other.numbers || least * 5 < mine.len().max(theirs.len()) * FIFTHS {
            return false;
        }
        let (mut common, mut at, mut there) = (0, 0, 0);
        while at < mine.len() && there < theirs.len() {
            match mine[at].cmp(&theirs[there]) {
                std::cmp::Ordering::Less => at += 1,
                std::cmp::Ordering::Greater => there += 1,
                std::cmp::Ordering::Equal => {
                    common += 1;
                    at += 1;
                    there += 1;
                }
            }
        }
        common * 5 >= (mine.len() + theirs.len() - common) * FIFTHS
    }
}

/// FNV-1a: the words are short. Who forges a collision only has their own document dropped or kept.
fn hash_of(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Spreads a hash over all bits.
fn mixed(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ (hash >> 29)
}

/// Hashes of hashes are not needed.
#[derive(Debug, Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash_of(bytes);
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "Every night the service writes a copy of the database to the second disk and verifies it. \
        The copy is kept for thirty days and then removed by the same job. To restore it, stop the service, \
        run the restore command with the date of the copy, and start the service again.";

    fn kept(texts: &[&str]) -> Vec<usize> {
        let mut distinct = Distinct::default();
        (0..texts.len()).filter(|index| distinct.keep(texts[*index])).collect()
    }

    #[test]
    fn the_same_text_in_another_dress_is_dropped() {
        let dressed = TEXT.to_uppercase().replace(". ", ".\n\n");
        let longer = format!("{TEXT} Ask Ann.");
        assert_eq!(kept(&[TEXT, &dressed, &longer, "Something else"]), [0, 3]);
        assert_eq!(kept(&["备份数据库每天晚上", "备份数据库每天晚上。", "恢复"]), [0, 2]);
    }

    #[test]
    fn what_differs_is_kept() {
        let half = &TEXT[..TEXT.len() / 2];
        assert_eq!(kept(&[TEXT, half]), [0, 1]);
        let (five, six) = (format!("{TEXT} It costs 5 euro."), format!("{TEXT} It costs 6 euro."));
        assert_eq!(kept(&[&five, &six, &five]), [0, 1]);
        assert_eq!(kept(&["yes", "no", "", "", "?!"]), [0, 1, 2, 3, 4]);
        assert_eq!(kept(&["a b c", "a b c d"]), [0, 1], "short texts must be the same");
    }

    fn texts() -> impl Strategy<Value = Vec<String>> {
        let sentence = prop::collection::vec("[a-c]{1,2}", 0..12).prop_map(|words| words.join(" "));
        prop::collection::vec(sentence, 1..12)
    }

    proptest! {
        #[test]
        fn nothing_is_left_to_drop_afterwards_and_the_best_stays(texts in texts()) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let first = kept(&texts);
            prop_assert_eq!(first[0], 0);
            let again: Vec<&str> = first.iter().map(|index| texts[*index]).collect();
            prop_assert_eq!(kept(&again).len(), again.len());
        }

        #[test]
        fn near_is_what_all_shingles_say(a in "[a-b ]{0,40}", b in "[a-b ]{0,40}") {
            let (one, other) = (Fingerprint::of(&a), Fingerprint::of(&b));
            let expected = !one.shingles.is_empty() && one.is_near(&other);
            prop_assert_eq!(kept(&[&a, &b]).len() == 1, expected);
        }
    }
}
