//! Faults reported by browsers and services, and the hub's own.

pub(crate) mod routes;

use syfthub_domain::Result;

use crate::parts::Parts;

/// The rules of the feature.
#[derive(Debug)]
pub(crate) struct ErrorReports;

impl ErrorReports {
    /// Builds the feature.
    pub(crate) fn build(_: &Parts) -> Result<Self> {
        Ok(Self)
    }
}
