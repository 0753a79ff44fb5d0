//! REST API, identity provider, registry.
//!
//! A feature is a folder: `mod.rs` holds its rules, `routes.rs` its HTTP handlers, `wire.rs` its JSON, `grpc.rs`
//! its internal calls. [`App`] puts them together.

mod access;
mod accounting;
mod admin;
mod aggregators;
mod api_document;
mod api_examples;
mod app;
mod audit;
mod collectives;
pub mod command;
mod conversations;
mod directory;
pub mod endpoints;
mod error_reports;
mod feedback;
mod health;
mod html;
mod hub_settings;
mod identity;
pub mod identity_provider;
mod invoke;
mod limits;
mod mail;
mod monitor;
pub mod oauth;
pub mod operator;
mod operator_calls;
mod owner_pages;
mod paging;
mod parts;
mod peers;
mod presets;
mod router;
pub mod sessions;
mod setup;
mod sign_in_providers;
mod statistics;
pub mod tokens;
mod tools;
mod tunnels;
mod usage;
pub mod users;
mod verification;
mod wallet;
mod web_address;

pub use app::{App, Deps};
pub use audit::wire::{AuditEntry, AuditFault, AuditReport};
pub use health::liveness;
pub use identity_provider::schedule::KeyInfo;
pub use mail::{Letter, Mailer, SendError};
pub use oauth::client_wire::ClientView;
pub use router::openapi;
