//! Structured logs, correlation ids, log files, OTLP traces, metrics and redaction.
//!
//! Events are written with `tracing`: the message is the event's name, the target is the logger, the
//! fields are flat, for example `info!(target: "syfthub.api.auth", user_id, "user.login.success")`.
//! An error event with the field `critical = true` has the level `critical`. Events of the target
//! `syfthub.audit` also go to the audit log. [`init`] is called once by the program; libraries only
//! write events.

pub mod correlation;
mod files;
mod init;
mod line;
mod metrics_text;
mod otlp;
pub mod redact;
pub mod trace_context;

pub use init::{Error, Guard, Handle, init};
pub use metrics_text::{Metrics, PROMETHEUS_TEXT};
