//! All SQL of the product, on PostgreSQL and SQLite.
//!
//! One module per aggregate, free functions in each. Reads take `&Db` or `&mut Tx` ([`Reads`]), writes
//! take `&mut Tx`; only the outermost function commits. Identifiers and times come from the caller,
//! so that a rule can be tested with a clock that stands still. What is read here was checked when it
//! was written, so names are taken as they are.
//!
//! A function that holds a [`Tx`] never begins another one: SQLite has one write connection, and a
//! second `begin` would wait for the first until the timeout. No `Tx` is held across a network call.

mod column;
mod connect;
mod db;
mod error;
mod migrations;

pub mod access_tokens;
pub mod activity;
pub mod aggregators;
pub mod audit;
pub mod collectives;
pub mod conversations;
pub mod endpoints;
pub mod error_logs;
pub mod feedback;
pub mod identities;
pub mod invitations;
pub mod keys;
pub mod oauth;
pub mod one_time_codes;
pub mod outbox;
#[cfg(test)]
mod plans;
pub mod presets;
pub mod refresh;
pub mod search;
pub mod sessions;
pub mod settings;
pub mod standing;
pub mod statistics;
pub mod subscriptions;
pub mod uptime;
pub mod usage;
pub mod users;
pub mod wallets;

pub use db::{Conn, Db, Dialect, Held, Reads, Source, Tx};
pub use error::{Error, Result};
pub use migrations::{Migration, embedded};

/// A page of a listing: how many rows to leave out and how many to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Rows left out at the front.
    pub skip: u32,
    /// Rows given at most.
    pub limit: u32,
}

impl Page {
    /// A page of `limit` rows after the first `skip`.
    pub const fn new(skip: u32, limit: u32) -> Self {
        Self { skip, limit }
    }
}

impl Default for Page {
    fn default() -> Self {
        Self::new(0, 100)
    }
}

/// A list as one JSON parameter: both databases can unpack it, so a statement with a list stays constant.
pub(crate) fn json<T: serde::Serialize + ?Sized>(value: &T) -> String {
    // Only lists of texts and numbers come here, which always have a JSON form.
    serde_json::to_string(value).unwrap_or_else(|_| "[]".to_owned())
}
