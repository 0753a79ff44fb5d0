//! The accounting routes that published clients still call.
//!
//! The hub works without an outside accounting service: payments go through wallets. So nobody has an account there,
//! and every route says so in the way that those clients understand.

pub(crate) mod routes;
mod wire;

use syfthub_domain::{Error, ErrorCode, Result};

use crate::parts::Parts;

/// The rules of the feature.
#[derive(Debug)]
pub(crate) struct Accounting;

impl Accounting {
    /// Builds the feature.
    #[expect(clippy::unnecessary_wraps, reason = "every feature is built alike")]
    pub(crate) fn build(_: &Parts) -> Result<Self> {
        Ok(Self)
    }
}

/// The answer to everything that needs an account.
fn not_configured() -> Error {
    let text =
        "No accounting service is configured for this account; this hub takes payments through wallets";
    Error::coded(ErrorCode::AccountingNotConfigured, text)
}
