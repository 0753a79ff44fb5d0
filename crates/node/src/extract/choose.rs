//! Chooses the sentences to quote.

use std::collections::HashSet;

use super::prompt::Prompt;
use super::sentences::sentences;
use crate::text;

/// At most this many sentences are quoted.
const MAX_SENTENCES: usize = 4;
/// A sentence must hold this share of what is asked (by weight) …
const ENOUGH: f64 = 0.34;
/// … and be this good compared with the best one.
const CLOSE_TO_BEST: f64 = 0.62;
/// Two sentences that share this much of their words say the same.
const SAME: f64 = 0.7;
/// Usual length of a sentence in words; much longer ones need more to be chosen.
const USUAL_WORDS: f64 = 24.0;

/// A sentence to quote.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chosen {
    pub(super) citation: String,
    pub(super) text: String,
}

struct Sentence {
    document: usize,
    place: usize,
    text: String,
    stems: Vec<String>,
    score: f64,
}

/// The best sentences: the best one first, the others in the order of the documents.
pub(super) fn choose(prompt: &Prompt) -> Vec<Chosen> {
    let terms = text::terms(&prompt.question);
    let mut all: Vec<Sentence> = Vec::new();
    for (document, content) in prompt.documents.iter().enumerate() {
        for (place, text) in sentences(&content.text).into_iter().enumerate() {
            let stems = text::stems(&text);
            all.push(Sentence { document, place, text, stems, score: 0.0 });
        }
    }
    score(&mut all, &terms);
    all.retain(|sentence| sentence.score >= ENOUGH);
    all.sort_by(|a, b| {
        b.score.total_cmp(&a.score).then_with(|| (a.document, a.place).cmp(&(b.document, b.place)))
    });
    let best = all.first().map_or(0.0, |sentence| sentence.score);
    let mut chosen: Vec<Sentence> = Vec::new();
    for sentence in all {
        if chosen.len() == MAX_SENTENCES || sentence.score < best * CLOSE_TO_BEST {
            break;
        }
        if !chosen.iter().any(|other| same(&other.stems, &sentence.stems)) {
            chosen.push(sentence);
        }
    }
    if let Some(rest) = chosen.get_mut(1..) {
        rest.sort_by_key(|sentence| (sentence.document, sentence.place));
    }
    chosen
        .into_iter()
        .map(|sentence| Chosen {
            citation: prompt.documents[sentence.document].citation.clone(),
            text: sentence.text,
        })
        .collect()
}

/// The share of the question's weight that a sentence holds; a word is the heavier the fewer sentences hold it.
/// Earlier documents (the aggregator ranks them) and sentences of usual length are preferred a little.
fn score(sentences: &mut [Sentence], terms: &[text::Term]) {
    let holds =
        |sentence: &Sentence, term: &text::Term| sentence.stems.iter().any(|stem| term.stems.contains(stem));
    let total = sentences.len() as f64;
    let weights: Vec<f64> = terms
        .iter()
        .map(|term| {
            let found = sentences.iter().filter(|sentence| holds(sentence, term)).count() as f64;
            1.0 + ((total + 1.0) / (found + 1.0)).ln() * 0.5
        })
        .collect();
    let asked: f64 = weights.iter().sum();
    for sentence in sentences.iter_mut() {
        let held: f64 = terms
            .iter()
            .zip(&weights)
            .filter(|(term, _)| holds(sentence, term))
            .map(|(_, weight)| weight)
            .sum();
        let length = sentence.stems.len() as f64;
        let too_long = (length - 2.0 * USUAL_WORDS).max(0.0) / (8.0 * USUAL_WORDS);
        let rank = 1.0 / (1.0 + 0.06 * sentence.document as f64);
        let place = 1.0 / (1.0 + 0.01 * sentence.place as f64);
        sentence.score = held / asked.max(f64::MIN_POSITIVE) * rank * place * (1.0 - too_long.min(0.3));
    }
}

fn same(a: &[String], b: &[String]) -> bool {
    let a: HashSet<&String> = a.iter().collect();
    let b: HashSet<&String> = b.iter().collect();
    let shared = a.intersection(&b).count() as f64;
    shared / (a.len().min(b.len()).max(1) as f64) >= SAME
}
