//! `/v1`: the same chat for programs that speak OpenAI's protocol.
//!
//! A model is named by its path, `owner/slug`, and with data sources `owner/slug+owner/source+…`. What that
//! protocol has no place for (sources, citations, billing) stands in one extra key, `syfthub`.

mod completion;
mod models;
mod preset;
pub(crate) mod refusal;
mod request;
mod resolve;
pub(crate) mod routes;
mod sampling;
mod stream;
mod taken_up;
mod turns;
