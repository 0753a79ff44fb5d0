//! The RSA keys that sign access and ID tokens. They are kept sealed by the hub, which cannot open them; a key of the
//! hub's own is never used here.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde_json::Value;
use syfthub_auth::at_jwt::{self, AccessError, Claims, Expected};
use syfthub_auth::keys::{KeyBits, KeyRing, PublicKey, SigningKey};
use syfthub_auth::satellite::{Verifier, VerifyError};
use syfthub_auth::signer::SignerPool;
use syfthub_auth::{SealedBox, oauth_keys};
use syfthub_config::Secret;
use syfthub_domain::{Error, ErrorCode, Result, SharedClock, Timestamp};
use syfthub_proto::oauth as wire;

use super::hub::Hub;

/// How long keys are used before the hub is asked for them again: a key that an operator rotates in or takes away is so
/// everywhere after this long.
const FRESH: Duration = Duration::from_secs(10);
/// A token of a key that is not known lets the hub be asked again, but not more often than this.
const PATIENCE: Duration = Duration::from_secs(1);
/// Signatures that may wait.
const MAX_QUEUE: usize = 1024;

/// The keys in force.
#[derive(Debug, Clone)]
struct Loaded {
    ring: Arc<KeyRing>,
    verifier: Arc<Verifier>,
    at: Timestamp,
}

/// Signs and verifies.
#[derive(Debug)]
pub(crate) struct Keys {
    hub: Hub,
    sealed: SealedBox,
    pool: SignerPool,
    clock: SharedClock,
    /// The key of the settings, if they give one.
    pinned: Option<Arc<SigningKey>>,
    /// Whether the hub was told of it.
    is_told: AtomicBool,
    loaded: RwLock<Option<Loaded>>,
    loading: tokio::sync::Mutex<()>,
}

impl Keys {
    pub(crate) fn new(
        hub: Hub,
        sealed: SealedBox,
        clock: SharedClock,
        pinned: Option<&Secret>,
    ) -> Result<Self> {
        let pool = SignerPool::new(0, MAX_QUEUE)?;
        let pinned = pinned.map(|pem| SigningKey::from_pem(pem.expose(), None)).transpose()?.map(Arc::new);
        let (loaded, loading) = (RwLock::new(None), tokio::sync::Mutex::new(()));
        Ok(Self { hub, sealed, pool, clock, pinned, is_told: AtomicBool::new(false), loaded, loading })
    }

    /// The published document.
    pub(crate) async fn jwks(&self) -> Result<Value> {
        Ok(self.current(FRESH).await?.ring.jwks())
    }

    /// Signs an access token.
    pub(crate) async fn sign_access(&self, claims: &Claims) -> Result<Secret> {
        let ring = self.current(FRESH).await?.ring;
        at_jwt::mint(&self.pool, ring.active(), claims).await.map(Secret::new)
    }

    /// Signs an ID token.
    pub(crate) async fn sign_id(&self, claims: &Value) -> Result<Secret> {
        let ring = self.current(FRESH).await?.ring;
        self.pool.sign(ring.active(), claims.to_string()).await.map(Secret::new)
    }

    /// Checks an access token of ours; whether its grant is live is another question.
    pub(crate) async fn verify(
        &self,
        token: &str,
        expected: Expected<'_>,
    ) -> Result<Result<Claims, AccessError>> {
        let now = self.clock.now();
        let checked = at_jwt::verify(&self.current(FRESH).await?.verifier, token, expected, now);
        if !matches!(checked, Err(AccessError::Token(VerifyError::UnknownKey))) {
            return Ok(checked);
        }
        // Another replica may have begun to use a key that is not known here yet.
        Ok(at_jwt::verify(&self.current(PATIENCE).await?.verifier, token, expected, now))
    }

    /// The keys, not older than `fresh` unless the hub cannot be asked.
    async fn current(&self, fresh: Duration) -> Result<Loaded> {
        let known = self.known();
        if let Some(known) = known.as_ref().filter(|known| self.clock.now().since(known.at) < fresh) {
            return Ok(known.clone());
        }
        let loading = match known {
            // One asks, the others go on with what there is.
            Some(known) => match self.loading.try_lock() {
                Ok(loading) => loading,
                Err(_) => return Ok(known),
            },
            None => self.loading.lock().await,
        };
        // Somebody else may have been faster.
        let known = self.known();
        if let Some(known) = known.as_ref().filter(|known| self.clock.now().since(known.at) < fresh) {
            return Ok(known.clone());
        }
        let loaded = match (self.load().await, known) {
            (Ok(loaded), _) => loaded,
            (Err(error), Some(known)) => {
                tracing::warn!(chain = error.chain(), "oauth.keys.stale");
                Loaded { at: self.clock.now(), ..known }
            }
            (Err(error), None) => return Err(error),
        };
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Some(loaded.clone());
        drop(loading);
        Ok(loaded)
    }

    fn known(&self) -> Option<Loaded> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn load(&self) -> Result<Loaded> {
        let mut rows = self.hub.list_signing_keys(wire::ListSigningKeysRequest {}).await?.keys;
        let at = self.clock.now();
        let signing = if let Some(pinned) = &self.pinned {
            rows = self.tell(pinned, rows).await?;
            Arc::clone(pinned)
        } else {
            if signing(&rows, at.as_secs()).is_none() {
                rows = self.make_first().await?;
            }
            let active = signing(&rows, at.as_secs()).ok_or_else(|| {
                Error::new(ErrorCode::KeyNotConfigured, "The hub has no key to sign tokens with")
            })?;
            self.opened(active)?
        };
        let published = rows.iter().filter(|row| row.expires_at == 0 || row.expires_at > at.as_secs());
        let published = published.map(|row| PublicKey::from_pem(&row.public_pem));
        let ring = Arc::new(KeyRing::new(signing, published.collect::<std::result::Result<_, _>>()?));
        Ok(Loaded { verifier: Arc::new(Verifier::from_ring(&ring)), ring, at })
    }

    /// Opens a key. That costs a millisecond, so the one that is in use stays.
    fn opened(&self, row: &wire::SigningKey) -> Result<Arc<SigningKey>> {
        let used = self.known().map(|known| known.ring.active()).filter(|key| key.kid() == row.kid);
        if let Some(used) = used {
            return Ok(used);
        }
        let der = self.sealed.open(&row.private_sealed, &oauth_keys::place(&row.kid))?;
        tracing::info!(kid = row.kid, "oauth.key.in_use");
        Ok(Arc::new(SigningKey::from_pkcs8_der(&der)?))
    }

    /// Has the hub publish the key of the settings: once after each start, so that it takes the place of the one before,
    /// and whenever it is not published any longer. What another replica's settings say is not fought over.
    async fn tell(&self, pinned: &SigningKey, rows: Vec<wire::SigningKey>) -> Result<Vec<wire::SigningKey>> {
        let is_published = rows.iter().any(|row| row.kid == pinned.kid());
        if is_published && self.is_told.load(Ordering::Acquire) {
            return Ok(rows);
        }
        let now = self.clock.now().as_secs();
        let key = wire::SigningKey {
            kid: pinned.kid().to_owned(),
            public_pem: pinned.public().to_pem()?,
            created_at: now,
            activated_at: now,
            ..wire::SigningKey::default()
        };
        let told = self.hub.add_first_signing_key(wire::AddFirstSigningKeyRequest { key: Some(key) }).await?;
        self.is_told.store(true, Ordering::Release);
        Ok(told.keys)
    }

    async fn make_first(&self) -> Result<Vec<wire::SigningKey>> {
        let sealed = self.sealed.clone();
        let made = tokio::task::spawn_blocking(move || oauth_keys::generate(KeyBits::Rsa2048, &sealed));
        let made = made.await.map_err(Error::internal)??;
        let now = self.clock.now().as_secs();
        tracing::info!(kid = made.kid, "oauth.key.made");
        let key = wire::SigningKey {
            kid: made.kid,
            private_sealed: made.private_sealed,
            public_pem: made.public_pem,
            created_at: now,
            activated_at: now,
            retired_at: 0,
            expires_at: 0,
        };
        Ok(self.hub.add_first_signing_key(wire::AddFirstSigningKeyRequest { key: Some(key) }).await?.keys)
    }
}

/// The key that signs: of those that can be opened and whose time is not over, the one that began last, or the first of
/// them when a clock was set back. Those without a private half were given by settings that are gone.
fn signing(rows: &[wire::SigningKey], now: i64) -> Option<&wire::SigningKey> {
    let usable = |row: &&wire::SigningKey| {
        !row.private_sealed.is_empty() && (row.retired_at == 0 || row.retired_at > now)
    };
    let begun = |row: &&wire::SigningKey| row.activated_at != 0 && row.activated_at <= now;
    let active = rows.iter().filter(usable).filter(begun).max_by_key(|row| row.activated_at);
    active.or_else(|| rows.iter().find(usable))
}
