//! One-time codes: confirming a mail address, resetting a password.

pub(crate) mod routes;

use syfthub_domain::Result;

use crate::parts::Parts;

/// The rules of the feature.
#[derive(Debug)]
pub(crate) struct Verification;

impl Verification {
    /// Builds the feature.
    pub(crate) fn build(_: &Parts) -> Result<Self> {
        Ok(Self)
    }
}
