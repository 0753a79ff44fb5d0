//! Mail to users: templates, the outbox, and the ways out.

pub(crate) mod routes;

use std::sync::Arc;

use syfthub_auth::sealing::Sealer;
use syfthub_config::Settings;
use syfthub_domain::{Result, SharedClock};
use syfthub_store::Db;

/// The rules of the feature.
#[derive(Debug)]
pub(crate) struct Mail;

impl Mail {
    /// Builds the feature.
    pub(crate) fn build(_: &Settings, _: &Db, _: &SharedClock, _: &Arc<Sealer>) -> Result<Self> {
        Ok(Self)
    }
}
