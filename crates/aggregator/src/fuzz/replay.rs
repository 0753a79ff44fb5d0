//! Replays the corpus of each target, then varies it for a while. What fails is shown as it can be added to
//! the corpus.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt, SeedableRng};

use super::{TARGETS, Target};

/// How long each target is tried with what the corpus does not hold.
const TIME: Duration = Duration::from_secs(2);
/// The same variations every time: who changes nothing must not see another result.
const SEED: u64 = 0x5f37_59df;
/// Longest input that is made up.
const LONGEST: usize = 4_096;

/// Pieces that mean something to a reader.
const WORDS: &[&str] = &[
    "\n",
    "\r\n",
    "\n\n",
    "\r",
    "data:",
    "data: ",
    "event: error\n",
    ": ",
    "[DONE]",
    "[cite:",
    "]",
    "1,2",
    "1",
    "-0:3",
    ". ",
    "\u{feff}",
    "\u{2028}",
    "\u{85}",
    "\0",
    "🎈",
    "ß",
    "{\"",
    "\":",
    "\"}",
    "[",
    "{",
    "}",
    ",",
    "null",
    "1e999",
    "-1",
    "18446744073709551616",
    "\\u0000",
    "\\ud800",
    "\"choices\"",
    "\"delta\"",
    "\"content\"",
    "\"summary\"",
    "\"message\"",
    "\"references\"",
    "\"documents\"",
    "\"metadata\"",
    "\"title\"",
    "\"similarity_score\"",
    "\"policy_metadata\"",
    "\"entries\"",
    "\"status\"",
    "\"charged\"",
    "\"usage\"",
    "\"total_tokens\"",
    "\"error\"",
    "\"detail\"",
    "\"tool_calls\"",
    "\"finish_reason\"",
    "<html>",
    "AKIA",
    "eyJ",
    "ghp_",
    "sk-",
    "token=",
    "-----BEGIN ",
    "PRIVATE KEY-----",
    "://",
    "@",
    "a1b2c3d4e5f6a7b8c9d0",
];

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let mut files: Vec<(PathBuf, Vec<u8>)> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    assert!(files.len() >= 10, "{} has {} files", directory.display(), files.len());
    files
}

fn vary(inputs: &[(PathBuf, Vec<u8>)], random: &mut SmallRng) -> Vec<u8> {
    let mut data = inputs.choose(random).unwrap().1.clone();
    for _ in 0..random.random_range(1..=6) {
        let at = random.random_range(0..=data.len());
        let end = data.len().min(at + random.random_range(0..=24_usize));
        match random.random_range(0..7) {
            0 if at < data.len() => data[at] ^= 1 << random.random_range(0..8_u32),
            1 if at < data.len() => data[at] = random.next_u32().to_le_bytes()[0],
            2 => drop(data.drain(at..end)),
            3 => {
                let again = data[at..end].to_vec();
                data.splice(at..at, again);
            }
            4 => {
                let other = &inputs.choose(random).unwrap().1;
                let from = random.random_range(0..=other.len());
                data.splice(at.., other[from..].iter().copied());
            }
            _ => {
                let word = WORDS.choose(random).unwrap();
                data.splice(at..at, word.bytes());
            }
        }
    }
    data.truncate(LONGEST);
    data
}

fn run((name, target): Target) {
    let inputs = corpus(name);
    for (path, data) in &inputs {
        let outcome = catch_unwind(|| target(data));
        assert!(outcome.is_ok(), "{} fails", path.display());
    }
    let (started, mut random) = (Instant::now(), SmallRng::seed_from_u64(SEED));
    while started.elapsed() < TIME {
        let data = vary(&inputs, &mut random);
        let outcome = catch_unwind(AssertUnwindSafe(|| target(&data)));
        assert!(outcome.is_ok(), "{name} fails on b\"{}\"", data.escape_ascii());
    }
}

fn target(name: &str) -> Target {
    TARGETS.into_iter().find(|(other, _)| *other == name).unwrap()
}

#[test]
fn streams_of_models() {
    run(target("sse"));
}

#[test]
fn answers_of_models() {
    run(target("model_answer"));
}

#[test]
fn answers_of_sources() {
    run(target("source_answer"));
}

#[test]
fn refusals_of_both() {
    run(target("refusal"));
}

#[test]
fn citations_in_answers() {
    run(target("citations"));
}

#[test]
fn each_target_has_a_program_for_cargo_fuzz() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let manifest = std::fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        let program = std::fs::read_to_string(fuzz.join(format!("targets/{name}.rs"))).unwrap();
        assert!(program.contains(&format!("fuzz::{name}(")), "{program}");
    }
}
