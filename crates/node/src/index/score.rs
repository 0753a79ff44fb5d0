//! How well a passage answers a question, as a number from 0 to 1 that means something.
//!
//! Every informative word of the question has a weight, the rarer in this corpus the heavier
//! (`ln((N + 1001) / (n + 1))` for a word found in `n` of `N` passages; the constants keep the weights of a small
//! corpus nearly equal). A word that the passage, its heading, its title or its path holds counts with
//! 0.7 to 1.0 of its weight: 0.7 for the mere presence, the rest by a BM25-style saturating count in which the path and
//! the title weigh more and long passages less. The score is the weight found, divided by the weight asked.
//! In questions of more than four informative words the lighter ones count less in the divisor, since nobody
//! repeats a whole paragraph word for word. Up to a tenth is taken off where words that stand together in the
//! question stand far apart in the passage, and up to a twentieth for passages far down in their file.
//! So 1.0 means that every informative word is there, strongly and together, 0.8 that all are there, and 0.5 that a
//! little more than half of what the question is about is there.

use std::collections::HashMap;

use crate::text::{self, Term};

/// Part of a word's weight that its mere presence earns.
const PRESENCE: f64 = 0.7;
/// Saturation of the rest.
const K1: f64 = 1.2;
/// How much length matters.
const B: f64 = 0.4;
/// Words of a usual passage.
const USUAL_WORDS: f64 = 160.0;
/// Weight of a word in the path when the path holds nothing else.
const IN_PATH: f64 = 6.0;
/// Weight of a word in the title or heading.
const IN_TITLE: f64 = 3.0;

/// Taken off when words that are neighbours in the question are not near each other in the passage.
const APART: f64 = 0.1;
/// Words this close are near.
const NEAR: usize = 6;
/// Taken off at the end of a long file.
const LATE: f64 = 0.05;
/// A passage that begins at this line loses half of that.
const LATE_LINE: f64 = 100.0;

/// The question with the weight of each word in this corpus.
#[derive(Debug)]
pub(super) struct Scorer {
    /// Stem to place in `weights`.
    places: HashMap<String, usize>,
    weights: Vec<f64>,
    asked: f64,
}

/// A passage as the scorer sees it.
pub(super) struct Scored<'t> {
    pub(super) path: &'t str,
    pub(super) title: &'t str,
    pub(super) heading: &'t str,
    pub(super) content: &'t str,
    pub(super) line: i64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Hits {
    path: f64,
    title: f64,
    body: f64,
}

impl Scorer {
    /// `matches[i]` is the number of passages, of `total`, that hold `terms[i]`.
    pub(super) fn new(terms: &[Term], matches: &[i64], total: i64) -> Self {
        let weights: Vec<f64> =
            matches.iter().map(|found| ((total as f64 + 1001.0) / (*found as f64 + 1.0)).ln()).collect();
        let mut sorted = weights.clone();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let share = |place: usize| match place {
            0..4 => 1.0,
            4..8 => 0.5,
            _ => 0.2,
        };
        let asked = sorted.iter().enumerate().map(|(place, weight)| weight * share(place)).sum();
        let places = terms
            .iter()
            .enumerate()
            .flat_map(|(place, term)| term.stems.iter().map(move |stem| (stem.clone(), place)))
            .collect();
        Self { places, weights, asked }
    }

    /// The score of a passage, 0 to 1.
    pub(super) fn score(&self, passage: &Scored<'_>) -> f64 {
        if self.asked <= 0.0 {
            return 0.0;
        }
        let mut hits = vec![Hits::default(); self.weights.len()];
        let mut near = Neighbours::new(self.weights.len());
        let words = self.count(passage.content, |at, word| {
            hits[at].body += 1.0;
            near.saw(at, word);
        });
        self.count(passage.title, |at, _| hits[at].title += 1.0);
        self.count(passage.heading, |at, _| hits[at].title += 1.0);
        let mut in_path = 0.0;
        let parts = self.count(passage.path, |at, _| {
            in_path += 1.0;
            hits[at].path = 1.0;
        });
        // `bash/copyright` is more about bash than `bash-completion/copyright` is.
        let path_fit = 0.4 + 0.6 * in_path / (parts as f64).max(1.0);
        let length = 1.0 - B + B * words as f64 / USUAL_WORDS;
        let found: f64 = hits
            .iter()
            .zip(&self.weights)
            .map(|(hit, weight)| {
                let count = hit.body / length + IN_TITLE * hit.title.min(1.0) + IN_PATH * path_fit * hit.path;
                if count > 0.0 { weight * (PRESENCE + (1.0 - PRESENCE) * count / (count + K1)) } else { 0.0 }
            })
            .sum();
        let late = passage.line.max(0) as f64;
        let place = 1.0 - LATE * late / (late + LATE_LINE);
        (found / self.asked * place * (1.0 - APART * near.missing())).clamp(0.0, 1.0)
    }

    fn count(&self, text: &str, mut hit: impl FnMut(usize, usize)) -> usize {
        let mut words = 0;
        text::for_each_word(text, |word| {
            words += 1;
            if let Some(place) = self.places.get(&text::stem(word)) {
                hit(*place, words);
            }
        });
        words
    }
}

/// Which neighbours in the question are near each other in the passage.
struct Neighbours {
    seen: Vec<Option<usize>>,
    near: Vec<bool>,
}

impl Neighbours {
    fn new(terms: usize) -> Self {
        Self { seen: vec![None; terms], near: vec![false; terms.saturating_sub(1)] }
    }

    fn saw(&mut self, term: usize, word: usize) {
        let is_near = |seen: Option<usize>| seen.is_some_and(|at| word - at <= NEAR);
        if term > 0 && is_near(self.seen[term - 1]) {
            self.near[term - 1] = true;
        }
        if term + 1 < self.seen.len() && is_near(self.seen[term + 1]) {
            self.near[term] = true;
        }
        self.seen[term] = Some(word);
    }

    /// The share of pairs that are not near, 0 to 1.
    fn missing(&self) -> f64 {
        let missing = self.near.iter().filter(|near| !**near).count();
        missing as f64 / self.near.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(question: &str, path: &str, content: &str) -> f64 {
        let terms = text::terms(question);
        let scorer = Scorer::new(&terms, &vec![3; terms.len()], 1_000);
        scorer.score(&Scored { path, title: "", heading: "", content, line: 1 })
    }

    #[test]
    fn the_score_says_how_much_of_the_question_is_there() {
        let all = score(
            "restore a backup",
            "guide.md",
            "Restore the backup. To restore a backup, stop the hub; a backup is a file.",
        );
        let half = score("restore a backup", "guide.md", "A backup is a file.");
        let none = score("restore a backup", "guide.md", "Nothing of this kind.");
        assert!(all > 0.85, "{all}");
        assert!((0.3..0.5).contains(&half), "{half}");
        assert!(none < f64::EPSILON);
    }

    #[test]
    fn a_path_that_is_about_nothing_else_wins() {
        let content = "Bash is distributed under the GNU licence";
        let exact = score("which licence has bash", "bash/copyright", content);
        let near = score("which licence has bash", "bash-completion/copyright", content);
        assert!(exact > near, "{exact} {near}");
    }

    proptest::proptest! {
        #[test]
        fn scores_stay_between_zero_and_one(question in ".{0,80}", path in ".{0,40}", content in ".{0,300}") {
            let score = score(&question, &path, &content);
            proptest::prop_assert!((0.0..=1.0).contains(&score));
        }
    }
}
