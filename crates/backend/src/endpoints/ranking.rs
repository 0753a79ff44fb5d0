//! How well endpoints answer a search: BM25F over the postings of the query's words. The weights of words were
//! computed when the endpoints changed; here they meet the rarity of the words. It is computed here and not in
//! SQL, so that both databases order results the same way.

use std::collections::{HashMap, HashSet};

use syfthub_domain::EndpointId;
use syfthub_store::search::{FULL_WEIGHT, Posting, words};

/// Words of one query that are looked for; the rarest ones.
pub(super) const MAX_WORDS: usize = 8;
/// Words of English that say nothing about a subject.
const STOP_WORDS: &[&str] = &[
    "a", "about", "all", "an", "and", "any", "are", "as", "at", "be", "by", "can", "could", "do", "does",
    "find", "for", "from", "get", "give", "has", "have", "how", "i", "in", "is", "it", "look", "looking",
    "me", "my", "need", "of", "on", "or", "our", "please", "search", "show", "some", "that", "the", "there",
    "thi", "this", "to", "us", "want", "was", "we", "what", "when", "where", "which", "who", "why", "with",
    "you", "your",
];

/// A word of the query, as the index knows it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wanted {
    /// How telling the word is.
    pub rarity: f64,
    /// Words of the index that stand for it, each with how much it counts, 0 to 1.
    pub stand_ins: Vec<(i64, f64)>,
}

/// The words of a query that are worth looking for, at most 32, without repeats.
pub(super) fn query_terms(query: &str) -> Vec<String> {
    let all = words(query);
    let telling: Vec<String> =
        all.iter().filter(|word| !STOP_WORDS.contains(&word.as_str())).cloned().collect();
    let mut seen = HashSet::new();
    let mut terms = if telling.is_empty() { all } else { telling };
    terms.retain(|term| seen.insert(term.clone()));
    terms.truncate(32);
    terms
}

/// How telling a word is that occurs in `holding` of `count` documents.
pub(super) fn rarity(count: i64, holding: i64) -> f64 {
    let (count, holding) = (count.max(holding) as f64, holding as f64);
    (1.0 + (count - holding + 0.5) / (holding + 0.5)).ln()
}

/// How much a word of the index counts that begins with `word` of the query.
pub(super) fn as_beginning(word: &str, longer: &str) -> f64 {
    if longer.chars().count() <= word.chars().count() + 2 { 0.8 } else { 0.5 }
}

/// How much a correction counts that is `slips` away.
pub(super) fn as_correction(slips: usize) -> f64 {
    if slips <= 1 { 0.7 } else { 0.4 }
}

/// Scores endpoints against the words of a query, 0 to 1, by what is known of their postings; in the order of their
/// ids. Postings may be given twice.
pub(super) fn scores(wanted: &[Wanted], postings: &[Posting]) -> Vec<(EndpointId, f64)> {
    let best: f64 = wanted.iter().map(|word| word.rarity).sum();
    let mut counts: HashMap<i64, Vec<(usize, f64)>> = HashMap::new();
    for (place, word) in wanted.iter().enumerate() {
        for (term, likeness) in &word.stand_ins {
            counts.entry(*term).or_default().push((place, *likeness));
        }
    }
    let mut found: Vec<(EndpointId, usize, f64)> = Vec::with_capacity(postings.len());
    for of_one_term in postings.chunk_by(|a, b| a.term_id == b.term_id) {
        let counted = of_one_term.first().and_then(|posting| counts.get(&posting.term_id));
        for (place, likeness) in counted.into_iter().flatten() {
            let weight = |posting: &Posting| likeness * posting.weight as f64 / FULL_WEIGHT as f64;
            found.extend(of_one_term.iter().map(|posting| (posting.endpoint_id, *place, weight(posting))));
        }
    }
    found.sort_unstable_by(|(a, place, x), (b, other, y)| {
        a.cmp(b).then_with(|| place.cmp(other)).then_with(|| y.total_cmp(x))
    });
    // Of the stand-ins of one word the best one counts, or "restaur" would win by having many.
    found.dedup_by_key(|(id, place, _)| (*id, *place));
    let score = |weights: &[(EndpointId, usize, f64)]| {
        let sum: f64 = weights.iter().map(|(_, place, weight)| weight * wanted[*place].rarity).sum();
        if best > 0.0 { (sum / best).clamp(0.0, 1.0) } else { 0.0 }
    };
    found.chunk_by(|(a, ..), (b, ..)| a == b).map(|weights| (weights[0].0, score(weights))).collect()
}

/// The highest scores, best first, equal ones by id; at most `limit`.
pub(super) fn best(scores: &[(EndpointId, f64)], limit: usize) -> Vec<(EndpointId, f64)> {
    let order =
        |(a, x): &(EndpointId, f64), (b, y): &(EndpointId, f64)| y.total_cmp(x).then_with(|| a.cmp(b));
    let mut best = scores.to_vec();
    if best.len() > limit {
        best.select_nth_unstable_by(limit, order);
        best.truncate(limit);
    }
    best.sort_unstable_by(order);
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(rarity: f64, stand_ins: &[(i64, f64)]) -> Wanted {
        Wanted { rarity, stand_ins: stand_ins.to_vec() }
    }

    fn posting(term_id: i64, endpoint: i64, weight: i64) -> Posting {
        Posting { term_id, endpoint_id: EndpointId(endpoint), weight }
    }

    fn ids(scores: &[(EndpointId, f64)]) -> Vec<i64> {
        scores.iter().map(|(id, _)| id.0).collect()
    }

    #[test]
    fn a_posting_that_is_given_twice_counts_once() {
        let query = [wanted(1.0, &[(1, 1.0)]), wanted(1.0, &[(2, 1.0)])];
        let once = [posting(1, 10, 400_000), posting(2, 10, 600_000)];
        let twice = [once[0], once[1], once[0], once[1]];
        assert_eq!(scores(&query, &once), scores(&query, &twice));
    }

    #[test]
    fn rare_words_decide() {
        assert!(rarity(100, 1) > rarity(100, 90) && rarity(5, 9) > 0.0);
        let query = [wanted(rarity(100, 1), &[(1, 1.0)]), wanted(rarity(100, 90), &[(2, 1.0)])];
        let known = [
            posting(1, 10, 800_000),
            posting(2, 10, 800_000),
            posting(1, 11, 800_000),
            posting(2, 12, 900_000),
        ];
        assert_eq!(ids(&best(&scores(&query, &known), 10)), [10, 11, 12]);
        assert_eq!(ids(&best(&scores(&query, &known), 1)), [10]);
    }

    #[test]
    fn of_the_stand_ins_of_one_word_the_best_counts() {
        let query = [wanted(1.0, &[(1, 1.0), (2, 0.5), (3, 0.5)])];
        let known = [posting(2, 10, 900_000), posting(3, 10, 900_000), posting(1, 11, 500_000)];
        let scores = scores(&query, &known);
        assert_eq!(ids(&scores), [10, 11]);
        assert!((scores[0].1 - 0.45).abs() < 1e-9 && (scores[1].1 - 0.5).abs() < 1e-9);
    }

    #[test]
    fn equal_scores_are_ordered_by_id() {
        let query = [wanted(1.0, &[(1, 1.0)])];
        let known = [posting(1, 12, 5), posting(1, 10, 5), posting(1, 11, 5)];
        assert_eq!(ids(&best(&scores(&query, &known), 10)), [10, 11, 12]);
        assert_eq!(ids(&best(&scores(&query, &known), 2)), [10, 11]);
    }

    #[test]
    fn a_query_of_stop_words_is_still_a_query() {
        assert_eq!(query_terms("how to the"), ["how", "to", "the"]);
        assert_eq!(query_terms("How do I restore a backup?"), ["restore", "backup"]);
    }

    proptest::proptest! {
        #[test]
        fn scores_stay_between_zero_and_one(
            rarities in proptest::collection::vec(0.0_f64..12.0, 1..5),
            weights in proptest::collection::vec((0_i64..6, 0_i64..5, 1_i64..=FULL_WEIGHT), 0..40),
        ) {
            let query: Vec<Wanted> = rarities.iter().zip(0..).map(|(r, id)| wanted(*r, &[(id, 1.0), (id + 1, 0.5)])).collect();
            let known: Vec<Posting> = weights.iter().map(|(t, e, w)| posting(*t, *e, *w)).collect();
            proptest::prop_assert!(scores(&query, &known).iter().all(|(_, score)| (0.0..=1.0).contains(score)));
        }
    }
}
