//! The layers, extractors and pages as a client sees them.
#![expect(clippy::unwrap_used, reason = "a failing test should panic")]

mod client;
mod documents;
mod extract;
mod fields;
mod layers;
mod logged;
mod serving;
