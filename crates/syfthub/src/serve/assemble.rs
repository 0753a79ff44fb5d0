//! Puts the three services together in one process: the same builders as the separate programs, with
//! local calls where those use the network.

use std::sync::Arc;

use syfthub_aggregator as aggregator;
use syfthub_auth::MasterKey;
use syfthub_backend as backend;
use syfthub_cache::Cache;
use syfthub_config::Settings;
use syfthub_domain::{SharedClock, SystemClock};
use syfthub_mcp as mcp;
use syfthub_rpc::{Caller, INTERNAL_KEY_LABEL, InternalKey, Server};
use syfthub_web::serve::Shutdown;

use super::edge::{Edge, Owners};
use super::web_root;
use crate::offline::{database, explain};

/// The whole hub, ready to be served.
pub(super) struct Hub {
    pub(super) backend: backend::App,
    pub(super) aggregator: aggregator::App,
    pub(super) edge: Edge,
    /// Whether this start created the database.
    pub(super) is_new: bool,
}

/// Opens the database, applies what is pending and builds every service.
pub(super) async fn build(settings: &Settings, shutdown: &Shutdown) -> anyhow::Result<Hub> {
    let clock: SharedClock = Arc::new(SystemClock);
    let (db, is_new) = database(settings).await?;
    let master = MasterKey::new(&settings.secrets.secret_key);
    let internal = InternalKey::new(master.subkey(INTERNAL_KEY_LABEL));
    let cache = |prefix: &'static str| match &settings.redis {
        Some(redis) => Cache::redis(redis, prefix),
        None => Ok(Cache::memory(clock.clone())),
    };

    let backend = backend::App::build(
        settings,
        backend::Deps { db, cache: cache("backend")?, clock: clock.clone(), master },
    )
    .await
    .map_err(explain)?;
    let hub = Server::new(backend.grpc(), &internal).reporting(backend.faults());
    let aggregator = aggregator::App::build(
        settings,
        aggregator::Deps {
            hub: hub.local(Caller::Aggregator, &internal),
            cache: cache("aggregator")?,
            clock: clock.clone(),
        },
    )
    .map_err(explain)?;
    let chat = Server::new(aggregator.grpc(), &internal).reporting(aggregator.faults());
    let mcp = mcp::App::build(
        settings,
        mcp::Deps {
            hub: hub.local(Caller::Mcp, &internal),
            chat: chat.local(Caller::Mcp, &internal),
            cache: cache("mcp")?,
            clock,
        },
    )
    .map_err(explain)?;
    let owners = Owners {
        backend: backend.router_with(shutdown.readiness()),
        aggregator: aggregator.router(),
        mcp: mcp.router(),
        web_app: web_root::router(),
    };
    Ok(Hub { backend, aggregator, edge: Edge::new(owners, &settings.public.public), is_new })
}
