//! The backend as clients and our own services see it: the real router and gRPC services on a real SQLite file.
#![expect(clippy::unwrap_used, reason = "a failing test should panic")]

mod accounts;
mod actor;
mod browse;
mod drain;
mod endpoints;
mod hostile;
mod identity;
mod internal;
mod internal_input;
mod limits;
mod listings;
mod operator;
mod owner_pages;
mod races;
mod replicas;
mod reports;
mod scope_table;
mod scopes;
mod setup;
mod shorthand;
mod surface;
mod sync;
mod tokens;
