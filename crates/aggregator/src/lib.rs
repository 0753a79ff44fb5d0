//! The chat service: one question, answered from the documents of many owners.
//!
//! A request passes `chat` (read, admit, orchestrate), `retrieve` (ask the sources), [`mask`] (no secrets leave
//! documents), [`rerank`] (one order for all documents), [`dedupe`] (nothing twice), `prompt` (tell the model), `generate` (ask the model) and [`citations`] (say who
//! carried the answer). It keeps nothing between requests but a few satellite tokens.

mod app;
mod billing;
mod chat;
pub mod citations;
pub mod command;
mod conversations;
pub mod dedupe;
mod detached;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod generate;
pub mod mask;
mod measure;
mod openai;
mod openapi;
mod prompt;
mod published;
mod quick;
pub mod rerank;
mod retrieve;
mod shape;
mod space;
mod standing;
mod streams;
mod usage;

pub use app::{App, Deps, Pace};
pub use space::{BreakerReport, BreakerState};
