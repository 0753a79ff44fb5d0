//! How the services speak HTTP: one error envelope, extractors that report every failing field, correlation
//! and access log, limits, server-sent events, API documents, health, and graceful serving.
//!
//! A service builds its routes and hands them to [`stack::Stack`], which adds what every service has.

mod access_log;
mod bearer;
mod body;
pub mod browser;
mod client_ip;
pub mod correlation;
pub mod cors;
pub mod docs;
pub mod dpop;
mod error;
pub mod etag;
pub mod fallback;
pub mod faults;
pub mod fields;
pub mod health;
pub mod limits;
mod measure;
mod metrics_page;
mod params;
pub mod process;
pub mod redirect_uri;
pub mod reload;
pub mod route_table;
mod security;
pub mod serve;
pub mod sse;
pub mod stack;
mod unread;

pub use access_log::AccessLog;
pub use bearer::Bearer;
pub use body::{FormBody, JsonBody, MaybeJson, RawJson};
pub use client_ip::{ClientIp, PeerAddress, TrustedProxies, limit_bucket};
pub use error::{ApiError, ApiResult, Fault, FaultFacts, envelope};
pub use fields::Fields;
pub use metrics_page::metrics_router;
pub use params::{PathId, QueryFields, path_id};
pub use security::{SecurityHeaders, security_headers};
