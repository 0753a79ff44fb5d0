//! The OAuth 2.1 authorization server: it lets a person allow a program to use the hub in their name.
//!
//! Nothing is kept here. Clients, grants, codes, refresh tokens and keys are in backend's database; a request that
//! waits for its person travels sealed in the page itself.

mod approval;
mod authorize;
mod client_credentials;
mod client_keys;
mod client_proof;
mod clients;
mod consent;
mod device;
mod device_pages;
mod discovery;
mod documents;
mod error;
mod hub;
mod inspection;
mod issuing;
mod key_proof;
mod keys;
mod metadata;
mod pages;
mod params;
mod pending;
mod redirects;
mod registration;
mod scopes;
mod secrets;
mod sign_in;
mod token;
mod token_exchange;
mod urls;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use syfthub_auth::at_jwt::{AccessError, Claims, Expected};
use syfthub_auth::{MasterKey, SealedBox, oauth_keys};
use syfthub_cache::Cache;
use syfthub_config::{Rule, Settings};
use syfthub_domain::{Error, Result, SharedClock};
use syfthub_egress::{Client as Egress, Limits, Outside};
use syfthub_rpc::Peer;
use syfthub_web::browser::BrowserCookie;
use syfthub_web::dpop::Proofs;
use syfthub_web::limits::RateLimiter;
use syfthub_web::{ApiError, ClientIp};

use client_keys::ClientKeys;
use clients::Clients;
use documents::Documents;
use error::OAuthResult;
use hub::Hub;
pub(crate) use key_proof::Shown;
use keys::Keys;
use pending::Pendings;
pub(crate) use urls::{Resource, Urls};

/// Largest body of any request here, in bytes.
const BODY_LIMIT: usize = 64 * 1024;
/// Label of the key from which refresh tokens follow one another.
const REFRESH_LABEL: &str = "oauth refresh tokens";
/// How many codes of devices one person may try.
const DEVICE_CODES: Rule = Rule { max: 30, window: Duration::from_mins(10) };
/// How many clients one address may stand for at the token endpoint, as at the MCP endpoint.
const CLIENTS_PER_ADDRESS: u32 = 10;

/// The authorization server; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct OAuth(Arc<Inner>);

struct Inner {
    urls: Urls,
    hub: Hub,
    clients: Clients,
    client_keys: ClientKeys,
    keys: Keys,
    pendings: Pendings,
    browser: BrowserCookie,
    proofs: Proofs,
    limits: Rates,
    clock: SharedClock,
    refresh_key: [u8; 32],
    /// An audience that tokens of the MCP endpoint have beside its address.
    audience: String,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OAuth").field("issuer", &self.urls.issuer()).finish_non_exhaustive()
    }
}

/// What one address may do.
#[derive(Debug)]
struct Rates {
    limiter: RateLimiter,
    /// Registrations, and documents that have to be fetched.
    register: Rule,
    /// Everything that programs ask for.
    programs: Rule,
}

impl Rates {
    async fn register(&self, client: ClientIp) -> OAuthResult<()> {
        Ok(self.limiter.check("oauth-register", &client.limit_bucket(), self.register).await?)
    }

    /// A code of a device that somebody types, from one address.
    async fn typed(&self, client: ClientIp) -> Result<()> {
        let checked = self.limiter.check("oauth-device", &client.limit_bucket(), self.register).await;
        checked.map_err(ApiError::into_error)
    }

    /// The same of one person, wherever they are; codes are short, so this counts under every setting.
    async fn looked_up(&self, user: i64) -> Result<()> {
        let checked = self.limiter.check_always("oauth-device-user", &user.to_string(), DEVICE_CODES).await;
        checked.map_err(ApiError::into_error)
    }

    async fn program(&self, client: ClientIp) -> OAuthResult<()> {
        Ok(self.limiter.check("oauth-token", &client.limit_bucket(), self.programs).await?)
    }
}

impl OAuth {
    pub(crate) fn new(
        settings: &Settings,
        peer: Peer,
        cache: Cache,
        clock: SharedClock,
        outside: &Outside,
    ) -> Result<Self> {
        let secrets = &settings.secrets;
        let master = MasterKey::new(&secrets.secret_key);
        let previous = secrets.secret_key_previous.as_ref().map(MasterKey::new);
        let sealed = |label| SealedBox::new(&master, previous.as_ref(), label);
        let rates = &settings.rate_limits;
        let limiter = RateLimiter::new(cache.clone(), rates);
        let proofs = Proofs::new(&cache, clock.clone());
        let limits =
            Limits { connect: documents::PATIENCE, total: documents::PATIENCE, max_body: documents::LARGEST };
        let egress = Egress::guarded_in(outside, &settings.egress, limits).map_err(Error::internal)?;
        let client_keys = ClientKeys::new(egress.clone(), cache.clone(), limiter.clone(), rates.auth);
        let documents = Documents::new(egress, cache, limiter.clone(), rates.auth);
        let hub = Hub::new(peer);
        Ok(Self(Arc::new(Inner {
            urls: Urls::new(&settings.mcp),
            clients: Clients::new(hub.clone(), documents),
            client_keys,
            keys: Keys::new(
                hub.clone(),
                sealed(oauth_keys::LABEL),
                clock.clone(),
                settings.mcp.signing_key.as_ref(),
            )?,
            pendings: Pendings::new(sealed(pending::LABEL), clock.clone()),
            browser: BrowserCookie::new(&settings.mcp.public_url),
            proofs,
            limits: Rates {
                limiter,
                register: rates.auth,
                programs: Rule {
                    max: rates.chat.max.saturating_mul(CLIENTS_PER_ADDRESS),
                    window: rates.chat.window,
                },
            },
            hub,
            clock,
            refresh_key: master.subkey(REFRESH_LABEL),
            audience: settings.mcp.oauth_audience.clone(),
        })))
    }

    /// The addresses of this server.
    pub(crate) fn urls(&self) -> &Urls {
        &self.0.urls
    }

    /// Checks an access token for a resource; whether its grant is live is not asked.
    pub(crate) async fn verify(
        &self,
        token: &str,
        resources: &[Resource],
    ) -> Result<std::result::Result<Claims, AccessError>> {
        let urls = &self.0.urls;
        let mut audiences: Vec<&str> = resources.iter().map(|resource| urls.name_of(*resource)).collect();
        if resources.contains(&Resource::Mcp) {
            audiences.push(&self.0.audience);
        }
        self.0.keys.verify(token, Expected { issuer: urls.issuer(), audiences: &audiences }).await
    }

    /// The routes, without the public prefix.
    pub(crate) fn router(&self) -> Router {
        let documents = "/.well-known/oauth-protected-resource";
        let server = "/.well-known/oauth-authorization-server";
        let openid = "/.well-known/openid-configuration";
        let below = |path: &str| format!("{path}/{{*suffix}}");
        Router::new()
            .route(documents, get(discovery::resource))
            .route(&below(documents), get(discovery::resource_at))
            .route(server, get(discovery::server))
            .route(&below(server), get(discovery::server_at))
            .route(openid, get(discovery::server))
            .route(&below(openid), get(discovery::server_at))
            .route("/.well-known/jwks.json", get(discovery::jwks))
            .route("/oauth/register", post(registration::register))
            .route(
                "/oauth/register/{client_id}",
                get(registration::read).put(registration::replace).delete(registration::remove),
            )
            .route("/oauth/authorize", get(authorize::authorize).post(authorize::by_post))
            .route("/oauth/par", post(authorize::push))
            .route("/oauth/sign-in", get(sign_in::page))
            .route("/auth/syfthub/login", post(sign_in::sign_in))
            .route("/oauth/verify", post(sign_in::verify))
            .route("/oauth/resend", post(sign_in::resend))
            .route("/oauth/github", get(sign_in::github))
            .route("/oauth/continue", get(sign_in::back))
            .route("/oauth/consent", get(consent::page).post(consent::decide))
            .route("/oauth/device_authorization", post(device::begin))
            .route("/oauth/device", get(device::page).post(device::enter))
            .route("/oauth/device/{outcome}", get(device::outcome))
            .route("/oauth/token", post(token::token))
            .route("/oauth/revoke", post(inspection::revoke))
            .route("/oauth/introspect", post(inspection::introspect))
            .route("/oauth/userinfo", get(inspection::userinfo).post(inspection::userinfo))
            .layer(DefaultBodyLimit::max(BODY_LIMIT))
            .with_state(self.clone())
    }
}

/// Whether scripts of any site may ask here: everything that programs use, and none of the pages.
pub(crate) fn is_open(path: &str) -> bool {
    path.starts_with("/.well-known/")
        || path == "/oauth/register"
        || path.starts_with("/oauth/register/")
        || matches!(
            path,
            "/oauth/par"
                | "/oauth/device_authorization"
                | "/oauth/token"
                | "/oauth/revoke"
                | "/oauth/introspect"
                | "/oauth/userinfo"
        )
}
