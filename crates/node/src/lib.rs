#![doc = include_str!("../README.md")]

mod config;
mod extract;
mod folder;
mod hub;
mod index;
mod model;
mod node;
mod passages;
mod server;
mod text;

pub use config::{
    Corpus, EmbeddedDocument, ModelConfig, NodeConfig, Progress, Quiet, SourceConfig, Summary, TokenFault,
    TokenFuture, Tokens,
};
pub use folder::IndexingError;
pub use index::IndexError;
pub use node::{Node, RunningNode, StartError};
