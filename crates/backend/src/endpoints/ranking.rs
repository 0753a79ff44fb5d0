//! How well an endpoint answers a search: BM25F over a few hundred candidates. It is computed here and not
//! in SQL, so that both databases order results the same way.

use std::collections::HashSet;

use syfthub_domain::Tag;
use syfthub_store::search::words;

/// How fast repeated words stop adding to a score.
const K1: f64 = 1.2;
/// How much a long field is held against a document, 0 to 1.
const B: f64 = 0.6;
/// Words of English that say nothing about a subject.
const STOP_WORDS: &[&str] = &[
    "a", "about", "an", "and", "are", "as", "at", "be", "by", "can", "do", "does", "for", "from", "how", "i",
    "in", "is", "it", "me", "my", "of", "on", "or", "that", "the", "to", "was", "what", "when", "where",
    "which", "who", "why", "with",
];

/// The searchable text of one endpoint.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Document<'a> {
    pub name: &'a str,
    pub slug: &'a str,
    pub owner: &'a str,
    pub tags: &'a [Tag],
    pub description: &'a str,
    pub readme: &'a str,
}

/// A field: its weight, its usual length in words, and the words that it holds.
struct Field {
    weight: f64,
    usual_length: f64,
    length: usize,
    /// Each word once, with how often it occurs: a long text repeats itself, and comparing is what costs.
    words: Vec<(String, usize)>,
}

impl Field {
    fn new(weight: f64, usual_length: f64, mut words: Vec<String>) -> Self {
        let length = words.len();
        words.sort_unstable();
        let words = words.chunk_by(|a, b| a == b).map(|same| (same[0].clone(), same.len())).collect();
        Self { weight, usual_length, length, words }
    }
}

/// The words of a query that are worth looking for, at most 32, without repeats.
pub(crate) fn query_terms(query: &str) -> Vec<String> {
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
pub(crate) fn rarity(count: i64, holding: i64) -> f64 {
    let (count, holding) = (count.max(holding) as f64, holding as f64);
    (1.0 + (count - holding + 0.5) / (holding + 0.5)).ln()
}

/// Scores a document against terms and their rarities, 0 to 1; 0 means that no term occurs.
pub(crate) fn score(terms: &[(String, f64)], document: &Document<'_>) -> f64 {
    let fields = fields(document);
    let best: f64 = terms.iter().map(|(_, rarity)| rarity).sum();
    let sum: f64 = terms
        .iter()
        .map(|(term, rarity)| {
            let weight = weighted_frequency(term, &fields);
            rarity * weight / (K1 + weight)
        })
        .sum();
    if best > 0.0 { (sum / best).clamp(0.0, 1.0) } else { 0.0 }
}

fn fields(document: &Document<'_>) -> [Field; 5] {
    let mut title = words(document.name);
    title.extend(words(document.slug).into_iter().filter(|w| !title.contains(w)).collect::<Vec<_>>());
    let tags = document.tags.iter().flat_map(|tag| words(tag.as_str())).collect();
    [
        Field::new(6.0, 4.0, title),
        Field::new(4.0, 4.0, tags),
        Field::new(3.0, 1.0, words(document.owner)),
        Field::new(2.0, 20.0, words(document.description)),
        Field::new(1.0, 200.0, words(document.readme)),
    ]
}

fn weighted_frequency(term: &str, fields: &[Field]) -> f64 {
    fields
        .iter()
        .map(|field| {
            let found: f64 =
                field.words.iter().map(|(word, times)| likeness(term, word) * *times as f64).sum();
            // Being shorter than usual is no merit, or one short name would beat one with a second hit.
            let length = (1.0 - B + B * (field.length as f64 / field.usual_length)).max(1.0);
            field.weight * found / length
        })
        .sum()
}

/// How much a word counts for a term: itself, its beginning, its plural, or one slip of the finger.
fn likeness(term: &str, word: &str) -> f64 {
    if term == word {
        return 1.0;
    }
    let (short, long) = if term.len() < word.len() { (term, word) } else { (word, term) };
    if short.len() >= 3 && long.starts_with(short) {
        let is_query_shorter = term.len() < word.len();
        let rest = long.len() - short.len();
        return if rest <= 2 {
            0.8
        } else if is_query_shorter {
            0.5
        } else {
            0.0
        };
    }
    if term.len() >= 5 && is_one_edit(term, word) { 0.4 } else { 0.0 }
}

/// Whether two words differ by one inserted, removed, replaced or swapped letter.
fn is_one_edit(a: &str, b: &str) -> bool {
    // No letter is longer than this, so most pairs need no look at their letters.
    if a.len().abs_diff(b.len()) > char::MAX.len_utf8() {
        return false;
    }
    let same: usize = a.chars().zip(b.chars()).take_while(|(x, y)| x == y).map(|(x, _)| x.len_utf8()).sum();
    let (a, b) = (&a[same..], &b[same..]);
    let tail: usize =
        a.chars().rev().zip(b.chars().rev()).take_while(|(x, y)| x == y).map(|(x, _)| x.len_utf8()).sum();
    let (mut a, mut b) = (a[..a.len() - tail].chars(), b[..b.len() - tail].chars());
    match (a.next(), a.next(), b.next(), b.next()) {
        (_, None, _, None) => true,
        (Some(a1), Some(a2), Some(b1), Some(b2)) => {
            (a1, a2) == (b2, b1) && a.next().is_none() && b.next().is_none()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document<'a>(name: &'a str, description: &'a str) -> Document<'a> {
        Document { name, slug: "", owner: "bob", tags: &[], description, readme: "" }
    }

    fn terms(query: &str) -> Vec<(String, f64)> {
        query_terms(query).into_iter().map(|term| (term, 1.0)).collect()
    }

    #[test]
    fn the_name_counts_more_than_the_description() {
        let terms = terms("weather");
        let named = score(&terms, &document("Weather data", "Rain and sun"));
        let told = score(&terms, &document("Sea charts", "Also some weather"));
        assert!(named > told && told > 0.0, "{named} {told}");
    }

    #[test]
    fn rare_words_decide() {
        assert!(rarity(100, 1) > rarity(100, 90) && rarity(5, 9) > 0.0);
        let terms = [("medical".to_owned(), rarity(100, 1)), ("models".to_owned(), rarity(100, 90))];
        let both = score(&terms, &document("Medical models", ""));
        let rare = score(&terms, &document("Medical", ""));
        let common = score(&terms, &document("Legal models", ""));
        assert!(both > rare && rare > common, "{both} {rare} {common}");
    }

    #[test]
    fn beginnings_plurals_and_slips_are_found() {
        let document = document("Restaurant reviews", "");
        for query in ["restaurants", "restau", "resturant", "resaturant", "review"] {
            assert!(score(&terms(query), &document) > 0.0, "{query}");
        }
        assert!(score(&terms("aeroplane"), &document) <= 0.0);
    }

    #[test]
    fn one_edit_is_one_edit() {
        for (a, b) in [("backup", "bakcup"), ("backup", "bckup"), ("aa", "aaa"), ("größe", "grösse")] {
            let expected = (a, b) != ("größe", "grösse");
            assert_eq!((is_one_edit(a, b), is_one_edit(b, a)), (expected, expected), "{a} {b}");
        }
        assert!(is_one_edit("größe", "große") && is_one_edit("x", "y") && is_one_edit("x", ""));
        assert!(!is_one_edit("abcd", "badc") && !is_one_edit("x", "xyz") && !is_one_edit("abc", "cba"));
    }

    #[test]
    fn a_word_counts_as_often_as_it_occurs() {
        let terms = terms("weather");
        let once = score(&terms, &document("x", "weather and sun"));
        let twice = score(&terms, &document("x", "weather weather sun"));
        assert!(twice > once, "{twice} {once}");
        let field = Field::new(1.0, 1.0, words("b a b"));
        assert_eq!((field.length, field.words), (3, vec![("a".to_owned(), 1), ("b".to_owned(), 2)]));
    }

    #[test]
    fn a_query_of_stop_words_is_still_a_query() {
        assert_eq!(query_terms("how to the"), ["how", "to", "the"]);
        assert_eq!(query_terms("How do I restore a backup?"), ["restore", "backup"]);
    }

    proptest::proptest! {
        #[test]
        fn one_edit_is_a_distance_of_at_most_one(a in "[a-cä]{0,6}", b in "[a-cä]{0,6}") {
            proptest::prop_assert_eq!(is_one_edit(&a, &b), syfthub_store::search::distance(&a, &b) <= 1);
        }

        #[test]
        fn scores_stay_between_zero_and_one(query in ".{0,60}", name in ".{0,60}", readme in "[a-z ]{0,200}") {
            let d = Document { name: &name, slug: "s", owner: "o", tags: &[], description: &query, readme: &readme };
            proptest::prop_assert!((0.0..=1.0).contains(&score(&terms(&query), &d)));
        }
    }
}
