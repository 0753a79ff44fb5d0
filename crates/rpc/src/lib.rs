//! How services call one another: one client type for in-process and network gRPC calls, wrapped in the
//! same stack on both sides, so that a call behaves the same wherever its service runs.
//!
//! * [`Server::local`] and [`local`] call a service in this process, [`connect`] one over the network;
//!   both give a [`Peer`], and [`stubs`] makes the generated client from it.
//! * Caller side: identity of the calling service, deadline over head **and** body, correlation id, trace
//!   context, one repetition of idempotent reads when the network failed.
//! * Service side: identity check, deadline, panics become `INTERNAL`, the correlation id is in scope.
//! * Cancellation is by drop. A task that feeds a stream is tied to it with [`spawn_linked`] or
//!   [`linked_stream`].

mod client;
mod deadline;
mod faults;
mod guard;
mod identity;
mod link;
mod panics;
mod retry;
mod server;
pub mod status;
pub mod stubs;

use std::time::Duration;

use tower::util::BoxCloneSyncService;

pub use client::{ConnectError, connect, local};
pub use deadline::with_deadline;
pub use faults::sent_to;
pub use identity::{Caller, InternalKey, caller, require};
pub use link::{LinkedTask, linked_stream, spawn_apart, spawn_linked};
pub use server::{Server, serve};

/// What a generated client talks to: HTTP request in, HTTP response out, `Status` when the call did
/// not reach the service.
pub type Peer =
    BoxCloneSyncService<http::Request<tonic::body::Body>, http::Response<tonic::body::Body>, tonic::Status>;

/// Largest message in either direction, in bytes (16 MiB).
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// Deadline of a call for which [`with_deadline`] named none; it bounds the whole answer.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);

/// Metadata key of the correlation id, in requests and in answers.
pub const CORRELATION_KEY: &str = "x-correlation-id";

/// Label under which every service derives the key of [`InternalKey`] from `SECRET_KEY`.
pub const INTERNAL_KEY_LABEL: &str = "internal-identity";
