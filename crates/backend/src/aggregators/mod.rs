//! A user's own aggregators.

pub(crate) mod routes;

use syfthub_domain::Result;

use crate::parts::Parts;

/// The rules of the feature.
#[derive(Debug)]
pub(crate) struct Aggregators;

impl Aggregators {
    /// Builds the feature.
    pub(crate) fn build(_: &Parts) -> Result<Self> {
        Ok(Self)
    }
}
