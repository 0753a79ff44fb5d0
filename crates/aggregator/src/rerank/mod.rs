//! One relevance score for documents of many sources: lexical (BM25 over the candidates) fused with the
//! score that each source gave, and with a little weight its record. Needs no model and no memory to speak of, takes one pass over the text,
//! and gives the same order for the same input.

mod external;
mod words;

use std::collections::HashMap;

pub(crate) use external::External;
pub(crate) use words::each_word;

/// Saturation of repeated words, the usual value.
const K1: f64 = 1.2;
/// How much long documents are discounted, the usual value.
const B: f64 = 0.75;
/// Part of the lexical score in the whole; the rest is the source's own.
const LEXICAL: f64 = 0.65;
/// How much of its relevance a document gains or loses by the record of its source: enough to decide between equals,
/// too little to lift what does not fit the question.
const RECORD: f64 = 0.04;
/// Most text that is ranked in one request, in bytes. More than this would hold up other requests.
pub const MAX_TEXT: usize = 4 * 1024 * 1024;
/// Most different words of a query that count; the first ones win.
const MAX_QUERY_WORDS: usize = 256;

/// A document to rank.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Which source it is from; scores are comparable only within a source.
    pub source: usize,
    /// Title, which counts like the text.
    pub title: &'a str,
    /// Text.
    pub content: &'a str,
    /// The source's own score; any scale, not a number counts as 0.
    pub score: f64,
    /// How much the record of the source speaks for it, -1 to 1; 0 when nothing is known.
    pub standing: f64,
}

/// A document that was kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked {
    /// Position in the list of candidates.
    pub index: usize,
    /// Fused relevance, 0 to 1.
    pub relevance: f64,
}

/// Why there is no ranking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// More than [`MAX_TEXT`] bytes came back.
    #[error("{bytes} bytes of documents are too much to rank, the limit is {MAX_TEXT}")]
    TooMuchText {
        /// How many.
        bytes: usize,
    },
}

/// Keeps the best `top_k` of all candidates, best first. Ties go to the better source score, then to the earlier candidate.
pub fn rank(query: &str, candidates: &[Candidate<'_>], top_k: usize) -> Result<Vec<Ranked>, Error> {
    let bytes = candidates.iter().map(|candidate| candidate.title.len() + candidate.content.len()).sum();
    if bytes > MAX_TEXT {
        return Err(Error::TooMuchText { bytes });
    }
    let lexical = lexical_scores(query, candidates);
    let own = own_scores(candidates);
    let has_match = lexical.iter().any(|score| *score > 0.0);
    let mut ranked: Vec<Ranked> = lexical
        .iter()
        .zip(&own)
        .map(|(lexical, own)| if has_match { LEXICAL * lexical + (1.0 - LEXICAL) * own } else { *own })
        .zip(candidates)
        .map(|(fused, candidate)| fused * (1.0 + RECORD * candidate.standing.clamp(-1.0, 1.0)))
        .enumerate()
        .map(|(index, relevance)| Ranked { index, relevance })
        .collect();
    ranked.sort_by(|a, b| {
        b.relevance
            .total_cmp(&a.relevance)
            .then_with(|| own[b.index].total_cmp(&own[a.index]))
            .then_with(|| a.index.cmp(&b.index))
    });
    ranked.truncate(top_k);
    for document in &mut ranked {
        document.relevance = document.relevance.min(1.0);
    }
    Ok(ranked)
}

/// BM25 of each candidate, divided by the best one's.
fn lexical_scores(query: &str, candidates: &[Candidate<'_>]) -> Vec<f64> {
    let vocabulary = Vocabulary::of(query);
    let mut counts = vec![0_u32; vocabulary.words.len() * candidates.len()];
    let mut lengths = Vec::with_capacity(candidates.len());
    for (row, candidate) in candidates.iter().enumerate() {
        let counts = &mut counts[row * vocabulary.words.len()..(row + 1) * vocabulary.words.len()];
        let mut length = 0_u32;
        let mut count = |word: &str| {
            length += 1;
            if let Some(index) = vocabulary.find(word) {
                counts[index] += 1;
            }
        };
        each_word(candidate.title, &mut count);
        each_word(candidate.content, &mut count);
        lengths.push(f64::from(length));
    }
    bm25(&counts, vocabulary.words.len(), &lengths)
}

/// The words of a query. Most words of a document are not among them, and most of those are told apart
/// by their first letter and length.
struct Vocabulary {
    words: HashMap<String, usize>,
    /// One bit per first letter and length that occurs.
    marks: u64,
}

impl Vocabulary {
    fn of(query: &str) -> Self {
        let mut vocabulary = Self { words: HashMap::new(), marks: 0 };
        each_word(query, |word| {
            let next = vocabulary.words.len();
            if next < MAX_QUERY_WORDS && !vocabulary.words.contains_key(word) {
                vocabulary.words.insert(word.to_owned(), next);
                vocabulary.marks |= Self::mark(word);
            }
        });
        vocabulary
    }

    fn mark(word: &str) -> u64 {
        let first = word.bytes().next().unwrap_or(0);
        1 << ((usize::from(first) + word.len() * 29) % 64)
    }

    fn find(&self, word: &str) -> Option<usize> {
        if self.marks & Self::mark(word) == 0 {
            return None;
        }
        self.words.get(word).copied()
    }
}

/// Scores from a table of word counts, one row of `width` words per document.
fn bm25(counts: &[u32], width: usize, lengths: &[f64]) -> Vec<f64> {
    if width == 0 || lengths.is_empty() {
        return vec![0.0; lengths.len()];
    }
    let total = lengths.len() as f64;
    let average = (lengths.iter().sum::<f64>() / total).max(1.0);
    let mut found_in = vec![0.0_f64; width];
    for row in counts.chunks_exact(width) {
        for (found, count) in found_in.iter_mut().zip(row) {
            *found += f64::from(u8::from(*count > 0));
        }
    }
    let rarity: Vec<f64> =
        found_in.iter().map(|found| ((total - found + 0.5) / (found + 0.5)).ln_1p()).collect();
    let mut scores: Vec<f64> = counts
        .chunks_exact(width)
        .zip(lengths)
        .map(|(row, length)| {
            let damping = K1 * (1.0 - B + B * length / average);
            let word = |(count, rarity): (&u32, &f64)| {
                let count = f64::from(*count);
                rarity * count * (K1 + 1.0) / (count + damping)
            };
            row.iter().zip(&rarity).map(word).sum()
        })
        .collect();
    let best = scores.iter().copied().fold(0.0, f64::max);
    if best > 0.0 {
        for score in &mut scores {
            *score /= best;
        }
    }
    scores
}

/// The sources' own scores, brought to 0..1: a source whose best score is above 1 is divided by it.
fn own_scores(candidates: &[Candidate<'_>]) -> Vec<f64> {
    let score = |candidate: &Candidate<'_>| {
        if candidate.score.is_finite() { candidate.score.max(0.0) } else { 0.0 }
    };
    let mut best: HashMap<usize, f64> = HashMap::new();
    for candidate in candidates {
        let entry = best.entry(candidate.source).or_insert(1.0);
        *entry = entry.max(score(candidate));
    }
    candidates
        .iter()
        .map(|candidate| score(candidate) / best.get(&candidate.source).unwrap_or(&1.0))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn candidate(source: usize, content: &str, score: f64) -> Candidate<'_> {
        Candidate { source, title: "", content, score, standing: 0.0 }
    }

    fn order(query: &str, candidates: &[Candidate<'_>], top_k: usize) -> Vec<usize> {
        rank(query, candidates, top_k).unwrap().into_iter().map(|ranked| ranked.index).collect()
    }

    #[test]
    fn the_document_that_speaks_of_the_question_comes_first() {
        let candidates = [
            candidate(0, "Our office has a garden with tomatoes", 0.8),
            candidate(1, "Restore a backup with the restore command", 0.5),
            candidate(0, "A backup is made every night", 0.7),
        ];
        assert_eq!(order("How do I restore a backup?", &candidates, 2), [1, 2]);
    }

    #[test]
    fn without_common_words_the_sources_decide() {
        let candidates = [candidate(0, "x", 0.2), candidate(1, "y", 0.9), candidate(2, "z", f64::NAN)];
        assert_eq!(order("?!", &candidates, 5), [1, 0, 2]);
        assert_eq!(order("other", &candidates, 5), [1, 0, 2]);
    }

    #[test]
    fn a_source_with_another_scale_does_not_win_by_it() {
        let candidates = [candidate(0, "cat", 40.0), candidate(0, "cat", 80.0), candidate(1, "cat", 0.9)];
        assert_eq!(order("cat", &candidates, 3), [1, 2, 0]);
        let ranked = rank("cat", &candidates, 3).unwrap();
        assert!(ranked.iter().all(|ranked| (0.0..=1.0).contains(&ranked.relevance)));
    }

    #[test]
    fn ties_keep_the_order_of_the_request() {
        let candidates = [candidate(0, "same", 0.5), candidate(1, "same", 0.5)];
        assert_eq!(order("same", &candidates, 2), [0, 1]);
        assert_eq!(order("anything", &[], 2), [0; 0]);
    }

    #[test]
    fn a_record_decides_between_equals_and_lifts_nothing_else() {
        let with = |standings: [f64; 3]| {
            let texts = [("Restore a backup", 0.5), ("Restore a backup", 0.5), ("Tomatoes", 0.5)];
            let known = texts.iter().zip(standings).enumerate();
            let candidates: Vec<_> = known
                .map(|(source, ((content, score), standing))| Candidate {
                    standing,
                    ..candidate(source, content, *score)
                })
                .collect();
            order("restore a backup", &candidates, 3)
        };
        assert_eq!(with([0.0, 0.0, 0.0]), [0, 1, 2]);
        assert_eq!(with([0.0, 0.3, 0.0]), [1, 0, 2], "a good record is better than none");
        assert_eq!(with([-0.3, 0.0, 0.0]), [1, 0, 2], "a bad one is worse");
        assert_eq!(with([-1.0, -1.0, 1.0]), [0, 1, 2], "and neither makes up for what does not fit");
        assert_eq!(with([f64::INFINITY, 1.0, -9.0]), [0, 1, 2]);
    }

    #[test]
    fn too_much_text_is_refused() {
        let text = "a".repeat(MAX_TEXT + 1);
        assert!(matches!(rank("a", &[candidate(0, &text, 0.0)], 1), Err(Error::TooMuchText { .. })));
    }

    proptest! {
        #[test]
        fn ranking_is_a_deterministic_selection(
            query in "[a-e ]{0,12}",
            documents in prop::collection::vec(("[a-e ]{0,30}", any::<f64>(), 0_usize..3), 0..20),
            standing in -1.0..=1.0,
            top_k in 1_usize..8,
        ) {
            let candidates: Vec<_> =
                documents.iter().map(|(text, score, source)| Candidate { standing, ..candidate(*source, text, *score) }).collect();
            let first = order(&query, &candidates, top_k);
            prop_assert_eq!(&first, &order(&query, &candidates, top_k));
            prop_assert_eq!(first.len(), top_k.min(documents.len()));
            let distinct: std::collections::BTreeSet<_> = first.iter().collect();
            prop_assert_eq!(distinct.len(), first.len());
            prop_assert!(first.iter().all(|index| *index < documents.len()));
        }
    }
}
