//! What the hub itself does with the text of a question: masking, ranking and comparing documents, and annotating an
//! answer.
#![expect(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use syfthub_aggregator::citations::annotate;
use syfthub_aggregator::dedupe::Distinct;
use syfthub_aggregator::mask::mask;
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
        .map(|(index, content)| Candidate {
            source: index / 5,
            title: "Operations",
            content,
            score: 0.5,
            standing: 0.0,
        })
        .collect();
    criterion.bench_function("rerank 10 sources x 5 documents x 500 bytes", |bench| {
        bench.iter(|| rank(black_box("How do I restore a backup of the database?"), &candidates, 5));
    });
}

fn annotation(criterion: &mut Criterion) {
    let answer = format!("{}[cite:1,2]. ", text(1, 120)).repeat(20);
    criterion.bench_function("annotate 20 sentences", |bench| bench.iter(|| annotate(black_box(&answer))));
}

fn dedupe(criterion: &mut Criterion) {
    let texts: Vec<String> = (0..50).map(|seed| text(seed, 500)).collect();
    criterion.bench_function("compare 50 documents x 500 bytes", |bench| {
        bench.iter(|| {
            let mut distinct = Distinct::default();
            texts.iter().filter(|text| distinct.keep(black_box(text))).count()
        });
    });
}

fn masking(criterion: &mut Criterion) {
    let prose = text(1, 1024 * 1024);
    let mut manual = String::new();
    while manual.len() < 1024 * 1024 {
        manual.push_str(&text(manual.len(), 400));
        manual.push_str(
            "See https://docs.example.org/install#2. Set the password: it is asked once; the token ends.\n",
        );
    }
    let mut group = criterion.benchmark_group("mask");
    group.throughput(Throughput::Bytes(1024 * 1024));
    group.bench_function("1 MiB of prose", |bench| bench.iter(|| mask(black_box(&prose)).found.len()));
    group.bench_function("1 MiB of a manual", |bench| bench.iter(|| mask(black_box(&manual)).found.len()));
    group.finish();
}

criterion_group!(benches, rerank, annotation, dedupe, masking);
criterion_main!(benches);
