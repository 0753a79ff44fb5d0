//! REST API, identity provider, registry.
//!
//! A feature is a folder: `mod.rs` holds its rules, `routes.rs` its HTTP handlers, `wire.rs` its JSON, `grpc.rs`
//! its internal calls. [`App`] puts them together.

mod access;
mod admin;
mod app;
pub mod command;
mod directory;
pub mod endpoints;
mod health;
mod html;
mod identity;
pub mod identity_provider;
mod limits;
mod owner_pages;
mod router;
pub mod sessions;
mod setup;
pub mod tokens;
pub mod users;

pub use app::{App, Deps};
pub use health::liveness;
pub use router::openapi;
