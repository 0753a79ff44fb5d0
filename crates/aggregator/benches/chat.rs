//! What the hub itself does with the text of a question: ranking documents and annotating an answer.
#![expect(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use syfthub_aggregator::citations::annotate;
use syfthub_aggregator::rerank::{Candidate, rank};

const WORDS: [&str; 16] = [
    "backup", "restore", "the", "service", "writes", "every", "night", "a", "copy", "of", "database", "to",
    "disk", "and", "verifies", "it",
];

/// Text of about `length` bytes, different for each `seed`.
fn text(seed: usize, length: usize) -> String {
    let mut text = String::with_capacity(length + 10);
    let mut state = seed * 7 + 3;
    while text.len() < length {
        state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
        text.push_str(WORDS[(state >> 8) % WORDS.len()]);
        text.push(' ');
    }
    text
}

fn rerank(criterion: &mut Criterion) {
    let texts: Vec<String> = (0..50).map(|seed| text(seed, 500)).collect();
    let candidates: Vec<Candidate<'_>> = texts
        .iter()
        .enumerate()
        .map(|(index, content)| Candidate { source: index / 5, title: "Operations", content, score: 0.5 })
        .collect();
    criterion.bench_function("rerank 10 sources x 5 documents x 500 bytes", |bench| {
        bench.iter(|| rank(black_box("How do I restore a backup of the database?"), &candidates, 5));
    });
}

fn annotation(criterion: &mut Criterion) {
    let answer = format!("{}[cite:1,2]. ", text(1, 120)).repeat(20);
    criterion.bench_function("annotate 20 sentences", |bench| bench.iter(|| annotate(black_box(&answer))));
}

criterion_group!(benches, rerank, annotation);
criterion_main!(benches);
