//! What an administrator decides at run time: who may register, guest access, the hub's name.

pub(crate) mod routes;

use syfthub_domain::Result;

use crate::parts::Parts;

/// The rules of the feature.
#[derive(Debug)]
pub(crate) struct HubSettings;

impl HubSettings {
    /// Builds the feature.
    pub(crate) fn build(_: &Parts) -> Result<Self> {
        Ok(Self)
    }
}
