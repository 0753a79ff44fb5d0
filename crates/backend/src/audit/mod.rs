//! Who changed what: the audit log, its seals, and the high-rate facts beside it.

mod origin;
pub(crate) mod routes;

use syfthub_domain::Result;

use crate::parts::Parts;

pub(crate) use origin::Origin;
pub(crate) use syfthub_store::audit::record;

/// The rules of the feature.
#[derive(Debug)]
pub(crate) struct Audit;

impl Audit {
    /// Builds the feature.
    pub(crate) fn build(_: &Parts) -> Result<Self> {
        Ok(Self)
    }
}
