//! The chat service: one question, answered from the documents of many owners.
//!
//! A request passes `chat` (read, admit, orchestrate), `retrieve` (ask the sources), [`rerank`] (one order for
//! all documents), `prompt` (tell the model), `generate` (ask the model) and [`citations`] (say who
//! carried the answer). It keeps nothing between requests but a few satellite tokens.

mod app;
mod billing;
mod chat;
pub mod citations;
pub mod command;
mod detached;
mod generate;
mod openapi;
mod prompt;
pub mod rerank;
mod retrieve;
mod shape;
mod space;

pub use app::{App, Deps, Pace};
