//! The service: settings and dependencies in, routes and gRPC out.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use syfthub_auth::MasterKey;
use syfthub_auth::hub_tokens::HubTokens;
use syfthub_auth::passwords::Passwords;
use syfthub_auth::satellite::Minter;
use syfthub_auth::signer::SignerPool;
use syfthub_cache::Cache;
use syfthub_config::{Secret, Settings};
use syfthub_domain::{Result, SharedClock};
use syfthub_logging::Metrics;
use syfthub_rpc::{InternalKey, LinkedTask, spawn_linked, stubs};
use syfthub_store::{Db, refresh, search};
use syfthub_web::browser::BrowserCookie;
use syfthub_web::health::Readiness;
use syfthub_web::limits::RateLimiter;
use syfthub_web::metrics_router;
use syfthub_web::serve::{DRAIN, Shutdown, serve};
use syfthub_web::stack::Stack;
use tokio::net::TcpListener;
use tonic::service::Routes;

use crate::access::Access;
use crate::access::grants::GrantCredentials;
use crate::accounting::Accounting;
use crate::aggregators::Aggregators;
use crate::audit::Audit;
use crate::audit::activity::{Activity, Facts};
use crate::collectives::Collectives;
use crate::conversations::Conversations;
use crate::conversations::grpc::ConversationsGrpc;
use crate::directory::grpc::DirectoryGrpc;
use crate::directory::standing::Standings;
use crate::endpoints::Endpoints;
use crate::error_reports::ErrorReports;
use crate::feedback::Feedback;
use crate::health::Health;
use crate::hub_settings::HubSettings;
use crate::identity::grpc::IdentityGrpc;
use crate::identity_provider::grpc::OpsGrpc;
use crate::identity_provider::rotation::Keys;
use crate::identity_provider::{IdentityProvider, keys};
use crate::invoke::{self, Invoke};
use crate::limits::Limits;
use crate::mail::{Mail, Mailer};
use crate::monitor::Monitor;
use crate::oauth::OAuth;
use crate::oauth::grpc::OAuthGrpc;
use crate::parts::Parts;
use crate::peers::Peers;
use crate::presets::Presets;
use crate::router::{self, AppState, Features};
use crate::sessions::Sessions;
use crate::setup::Setup;
use crate::sign_in_providers::SignInProviders;
use crate::statistics::Statistics;
use crate::tokens::Tokens;
use crate::tools::grpc::ToolsGrpc;
use crate::tunnels::Tunnels;
use crate::usage::Usage;
use crate::usage::grpc::UsageGrpc;
use crate::users::{Neighbours, Users};
use crate::verification::Verification;
use crate::wallet::Wallet;

/// Label of the key of hub tokens when `JWT_SECRET` is not set.
const JWT_LABEL: &str = "hub tokens";
/// Signatures that may wait for a thread; at two thousand a second this is a second's work.
const SIGNATURE_QUEUE: usize = 2048;
/// How often what has expired is deleted.
const SWEEP_EVERY: Duration = Duration::from_hours(1);

/// Longest wait for the database to close, out of the time that a stop may take.
const CLOSE: Duration = Duration::from_secs(2);

/// What the service needs from outside.
#[derive(Debug, Clone)]
pub struct Deps {
    /// The database, migrated.
    pub db: Db,
    /// Counters of the rate limits and messages between replicas.
    pub cache: Cache,
    /// The present.
    pub clock: SharedClock,
    /// The key from which others are derived.
    pub master: MasterKey,
}

/// The backend.
#[derive(Debug, Clone)]
pub struct App {
    pub(crate) settings: Arc<Settings>,
    pub(crate) db: Db,
    pub(crate) clock: SharedClock,
    pub(crate) state: AppState,
    /// Ended by [`App::close`], at the latest when the last clone goes.
    background: Arc<Mutex<Vec<LinkedTask<()>>>>,
}

impl App {
    /// Builds the service: loads its keys, making them on the first start. Opens no port.
    pub async fn build(settings: &Settings, deps: Deps) -> Result<Self> {
        Self::build_with(settings, deps, None).await
    }

    /// The same with another way out for mail in place of the configured one, if there is one.
    pub async fn build_with(
        settings: &Settings,
        deps: Deps,
        mailer: Option<Arc<dyn Mailer>>,
    ) -> Result<Self> {
        let Deps { db, cache, clock, master } = deps;
        build_search_index(&db).await?;
        let sealer = Arc::new(keys::sealer(&db, settings, clock.now()).await?);
        let (activity, facts) = Activity::new(clock.clone());
        let all = Arc::new(settings.clone());
        let keys = Keys::open(db.clone(), cache.clone(), clock.clone(), all, Arc::clone(&sealer)).await?;
        let passwords = &settings.passwords;
        let hashing = Arc::new(Passwords::new(&passwords.argon2, 0, passwords.max_queue)?);
        let access = Arc::new(Access::new(
            db.clone(),
            cache.clone(),
            clock.clone(),
            hub_tokens(settings, &master),
            activity.clone(),
            BrowserCookie::new(&settings.public.public),
            GrantCredentials::new(&master, &settings.public),
        ));
        let parts = Parts {
            settings: Arc::new(settings.clone()),
            db: db.clone(),
            cache: cache.clone(),
            clock: clock.clone(),
            master,
            access,
            activity,
            mail: Arc::new(Mail::build(settings, &db, &clock, &sealer, mailer)?),
            sealer,
        };
        let features = features(&parts, hashing, keys)?;
        features.hub_settings.reload().await?;
        let state = AppState(Arc::new(features));
        let background = Arc::new(Mutex::new(background(&state, &db, &clock, facts)));
        Ok(Self { settings: Arc::new(settings.clone()), db, clock, state, background })
    }

    /// The HTTP routes, always ready.
    pub fn router(&self) -> Router {
        self.router_with(&Readiness::ready())
    }

    /// The HTTP routes, with the readiness of the process.
    pub fn router_with(&self, readiness: &Readiness) -> Router {
        let health = Health { db: self.db.clone(), readiness: readiness.clone() };
        let stack = Stack::new(&self.settings).with_longer_requests(invoke::time_for);
        match router::build(self.state.clone(), health, &stack) {
            Ok(router) => router,
            // Only a document that is no JSON could make it fail, and a test builds it.
            Err(error) => unreachable!("the API document cannot be written: {error}"),
        }
    }

    /// The gRPC services, for our own services only.
    pub fn grpc(&self) -> Routes {
        let (_, health) = tonic_health::server::health_reporter();
        Routes::new(stubs::identity_server(IdentityGrpc(self.state.clone())))
            .add_service(stubs::directory_server(DirectoryGrpc(self.state.clone())))
            .add_service(stubs::ops_server(OpsGrpc(self.clone())))
            .add_service(stubs::tools_server(ToolsGrpc(self.state.clone())))
            .add_service(stubs::usage_server(UsageGrpc(self.state.clone())))
            .add_service(stubs::conversations_server(ConversationsGrpc(self.state.clone())))
            .add_service(stubs::oauth_server(OAuthGrpc(self.state.clone())))
            .add_service(health)
    }

    /// Serves HTTP (with `/metrics`) and gRPC until `shutdown`, then lets both drain for the grace of the settings
    /// and closes the database; at most [`DRAIN`] after the order to stop it returns.
    pub async fn run(
        self,
        listener: TcpListener,
        grpc_listener: TcpListener,
        key: InternalKey,
        shutdown: Shutdown,
    ) -> anyhow::Result<()> {
        let routes = self.router_with(shutdown.readiness());
        let router = metrics_router(Metrics::install()).fallback_service(routes);
        let grace = self.settings.http.shutdown_grace.min(DRAIN.saturating_sub(CLOSE));
        let server = syfthub_rpc::Server::new(self.grpc(), &key).reporting(self.faults());
        let grpc = server.serve(grpc_listener, shutdown.wait());
        let grpc = within_grace(grpc, shutdown.wait(), grace);
        shutdown.readiness().set(true);
        let (http, grpc) = tokio::join!(serve(listener, router, shutdown.clone(), grace), grpc);
        if tokio::time::timeout(CLOSE, self.close()).await.is_err() {
            tracing::warn!("database.close.overdue"); // a statement of a call that was cut off
        }
        http.context("HTTP")?;
        grpc.context("gRPC")
    }

    /// Does once what the health monitor does all the time: looks at every endpoint that is due and waits for the
    /// answers. Gives how many addresses were asked.
    pub async fn check_endpoints(&self) -> Result<usize> {
        self.state.monitor.run_once().await
    }

    /// Ends the background tasks, waits for running statements and closes the database.
    pub async fn close(&self) {
        self.state.audit.flush_activity().await;
        self.state.error_reports.flush().await;
        let tasks = std::mem::take(&mut *self.background.lock().unwrap_or_else(PoisonError::into_inner));
        drop(tasks);
        self.state.error_reports.flush().await;
        self.db.close().await;
    }
}

/// Builds the search index after an upgrade that changed its form; a few seconds for a hundred thousand endpoints.
async fn build_search_index(db: &Db) -> Result<()> {
    if search::is_built(db).await? {
        return Ok(());
    }
    let mut tx = db.begin().await?;
    let endpoints = search::build_if_missing(&mut tx).await?;
    tx.commit().await?;
    if let Some(endpoints) = endpoints.filter(|count| *count > 0) {
        tracing::info!(target: "syfthub.api.endpoints", endpoints, "search.index.built");
    }
    Ok(())
}

/// The identity provider with its keys and its threads.
fn identity_provider(parts: &Parts, keys: Keys, hub_settings: Arc<HubSettings>) -> Result<IdentityProvider> {
    let signer = SignerPool::new(0, SIGNATURE_QUEUE)?;
    let tokens = &parts.settings.tokens;
    let minter = Minter::new(Arc::clone(keys.ring()), signer, &tokens.issuer, tokens.satellite_ttl);
    let (db, clock, activity) = (parts.db.clone(), parts.clock.clone(), parts.activity.clone());
    Ok(IdentityProvider::new(db, clock, minter, hub_settings, activity, Arc::new(keys)))
}

/// The features, each built from what it needs.
fn features(parts: &Parts, hashing: Arc<Passwords>, keys: Keys) -> Result<Features> {
    let Parts { settings, db, cache, clock, access, .. } = parts;
    let rotation = settings.tokens.rotation;
    let endpoints = Endpoints::new(db.clone(), cache.clone(), clock.clone(), settings.health_check.clone());
    let endpoints = Arc::new(endpoints);
    let hub_settings = Arc::new(HubSettings::build(parts));
    let identity_provider = Arc::new(identity_provider(parts, keys, Arc::clone(&hub_settings))?);
    let neighbours = Neighbours {
        access: Arc::clone(access),
        endpoints: Arc::clone(&endpoints),
        hub_settings: Arc::clone(&hub_settings),
        identity_provider: Arc::clone(&identity_provider),
        mail: Arc::clone(&parts.mail),
    };
    let min_password = settings.passwords.min_length;
    let users = Users::new(db.clone(), clock.clone(), Arc::clone(&hashing), min_password, neighbours);
    let users = Arc::new(users.verifying(parts.mail.is_enabled()));
    let limiter = RateLimiter::new(cache.clone(), &settings.rate_limits);
    let guests = settings.optional.nats.guest_limit;
    let limits = Arc::new(Limits::new(limiter, settings.rate_limits.clone(), guests));
    let (database, now) = (db.clone(), clock.clone());
    let sessions = Sessions::new(database, now, hashing, Arc::clone(access), rotation, Arc::clone(&limits))
        .verifying(parts.mail.is_enabled());
    let sessions = Arc::new(sessions);
    let providers = SignInProviders::build(parts, Arc::clone(&users), Arc::clone(&sessions))?;
    let setup = Setup::new(db.clone(), clock.clone(), Arc::clone(&users), settings.public.origin());
    let invoke = Invoke::build(parts, Arc::clone(&endpoints), Arc::clone(&users))?;
    Ok(Features {
        sessions,
        sign_in_providers: Arc::new(providers),
        tokens: Arc::new(Tokens::new(db.clone(), clock.clone(), Arc::clone(access))),
        endpoints: Arc::clone(&endpoints),
        identity_provider,
        setup: Arc::new(setup),
        limits,
        access: Arc::clone(access),
        users,
        mail: Arc::clone(&parts.mail),
        aggregators: Arc::new(Aggregators::build(parts)?),
        accounting: Arc::new(Accounting::build(parts)?),
        audit: Arc::new(Audit::build(parts)?),
        collectives: Arc::new(Collectives::build(parts)?),
        conversations: Arc::new(Conversations::build(parts)?),
        error_reports: Arc::new(ErrorReports::build(parts)?),
        feedback: Arc::new(Feedback::build(parts)?),
        hub_settings,
        invoke: Arc::new(invoke),
        monitor: Arc::new(Monitor::build(parts, endpoints)?),
        oauth: Arc::new(OAuth::build(parts)?),
        peers: Arc::new(Peers::build(parts)?),
        presets: Arc::new(Presets::build(parts)?),
        standings: Arc::new(Standings::build(parts)?),
        statistics: Arc::new(Statistics::build(parts)?),
        tunnels: Arc::new(Tunnels::build(parts)?),
        usage: Arc::new(Usage::build(parts)?),
        verification: Arc::new(Verification::build(parts)?),
        wallet: Arc::new(Wallet::build(parts)?),
    })
}

/// Ends a server that has not drained `grace` after the order to stop.
async fn within_grace(
    server: impl Future<Output = std::io::Result<()>>,
    asked: impl Future<Output = ()>,
    grace: Duration,
) -> std::io::Result<()> {
    let overdue = async {
        asked.await;
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        served = server => served,
        () = overdue => {
            tracing::warn!("rpc.drain.overdue");
            Ok(())
        }
    }
}

fn hub_tokens(settings: &Settings, master: &MasterKey) -> HubTokens {
    let derived = || Secret::new(hex::encode(master.subkey(JWT_LABEL)));
    let key = settings.secrets.jwt_secret.clone().unwrap_or_else(derived);
    HubTokens::new(&key, settings.tokens.access_ttl, settings.tokens.refresh_ttl)
}

fn background(state: &AppState, db: &Db, clock: &SharedClock, facts: Facts) -> Vec<LinkedTask<()>> {
    let access = Arc::clone(&state.access);
    let endpoints = Arc::clone(&state.endpoints);
    let mail = Arc::clone(&state.mail);
    let (reports, purge) = (Arc::clone(&state.error_reports), Arc::clone(&state.error_reports));
    let monitor = Arc::clone(&state.monitor);
    let (sealing, pruning) = (Arc::clone(&state.audit), Arc::clone(&state.audit));
    let activity = facts.write_forever(db.clone());
    let hub_settings = Arc::clone(&state.hub_settings);
    let keys = Arc::clone(state.identity_provider.keys());
    let (db, clock) = (db.clone(), clock.clone());
    let usage = Arc::clone(&state.usage);
    let verification = Arc::clone(&state.verification);
    vec![
        spawn_linked(async move { verification.clean_up_forever().await }),
        spawn_linked(async move { mail.deliver_forever().await }),
        spawn_linked(async move { reports.write_forever().await }),
        spawn_linked(async move { purge.purge_forever().await }),
        spawn_linked(activity),
        spawn_linked(async move { keys.follow_changes().await }),
        spawn_linked(async move { sealing.seal_forever().await }),
        spawn_linked(async move { pruning.prune_forever().await }),
        spawn_linked(async move { hub_settings.follow_changes().await }),
        spawn_linked(async move { access.follow_changes().await }),
        spawn_linked(async move { endpoints.follow_changes().await }),
        spawn_linked(async move { monitor.run().await }),
        spawn_linked(async move { sweep(&db, &clock, &usage).await }),
    ]
}

/// Deletes what has expired, once an hour. Replicas may do it at the same time; it does no harm.
async fn sweep(db: &Db, clock: &SharedClock, usage: &Usage) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        match refresh::purge(db, clock.now()).await {
            Ok(rows) => tracing::debug!(rows, "auth.sweep.completed"),
            Err(error) => tracing::warn!(%error, "auth.sweep.failed"),
        }
        match forget_unused_words(db).await {
            Ok(words) => tracing::debug!(words, "search.sweep.completed"),
            Err(error) => tracing::warn!(%error, "search.sweep.failed"),
        }
        match usage.purge().await {
            Ok(rows) => tracing::debug!(rows, "usage.sweep.completed"),
            Err(error) => tracing::warn!(%error, "usage.sweep.failed"),
        }
    }
}

async fn forget_unused_words(db: &Db) -> Result<u64> {
    let mut tx = db.begin().await?;
    let words = search::prune(&mut tx).await?;
    tx.commit().await?;
    Ok(words)
}
