//! What features are built from.

use std::sync::Arc;

use syfthub_auth::MasterKey;
use syfthub_auth::sealing::Sealer;
use syfthub_cache::Cache;
use syfthub_config::Settings;
use syfthub_domain::SharedClock;
use syfthub_store::Db;

use crate::access::Access;
use crate::audit::activity::Activity;
use crate::mail::Mail;

/// Handed to the constructor of every feature, which keeps what it needs of it.
pub(crate) struct Parts {
    pub(crate) settings: Arc<Settings>,
    pub(crate) db: Db,
    pub(crate) cache: Cache,
    pub(crate) clock: SharedClock,
    pub(crate) master: MasterKey,
    pub(crate) access: Arc<Access>,
    /// Takes facts that come too often for the audit log.
    pub(crate) activity: Activity,
    /// Seals secrets at rest.
    pub(crate) sealer: Arc<Sealer>,
    /// Sends mail, if a provider is configured.
    pub(crate) mail: Arc<Mail>,
}
