//! The only outbound HTTP client: guarded addresses, capped sizes and times, no redirects.
//!
//! A [`Client::guarded`] serves every URL that a user supplied: what it resolves is checked, all of
//! it, and the address that was checked is the one that is dialled. A [`Client::operator`] serves
//! what the operator configured, and no user-supplied URL ever reaches it.

mod address;
mod client;
mod error;
mod guard;
mod request;
mod response;
mod tls;

pub use address::{Class, classify};
pub use client::{Client, Limits, Outside};
pub use error::{Error, Refusal};
pub use guard::Names;
pub use request::Request;
pub use response::Response;
pub use tls::install_tls;
