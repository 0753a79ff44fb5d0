//! What reads bytes from strangers, as functions over bytes that panic when something does not hold that always
//! should. `cargo test` replays the corpus in `fuzz/corpus/` and varies it for a few seconds; `cargo fuzz` runs
//! the same functions for as long as one likes (CONTRIBUTING.md says how).

pub use crate::citations::fuzz::citations;
pub use crate::generate::fuzz::{model_answer, sse};
pub use crate::retrieve::fuzz::{refusal, source_answer};

/// A target and its name, which is that of the directory of its corpus.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 5] = [
    ("citations", citations),
    ("model_answer", model_answer),
    ("refusal", refusal),
    ("source_answer", source_answer),
    ("sse", sse),
];

#[cfg(test)]
mod replay;
