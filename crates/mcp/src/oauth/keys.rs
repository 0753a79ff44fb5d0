//! The RSA keys that sign access and ID tokens. They are kept sealed by the hub, which cannot open them; a key of the
//! hub's own is never used here.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde_json::Value;
use syfthub_auth::SealedBox;
use syfthub_auth::at_jwt::{self, AccessError, Claims, Expected};
use syfthub_auth::keys::{KeyRing, PublicKey, SigningKey};
use syfthub_auth::satellite::{Verifier, VerifyError};
use syfthub_auth::signer::SignerPool;
use syfthub_config::Secret;
use syfthub_domain::{Error, ErrorCode, Result, SharedClock, Timestamp};
use syfthub_proto::oauth as wire;

use super::hub::Hub;

/// Label of the key that seals.
pub(crate) const LABEL: &str = "oauth signing keys";
/// How long keys are used before the hub is asked for them again.
const FRESH: Duration = Duration::from_mins(1);
/// A token of a key that is not known lets the hub be asked again, but not more often than this.
const PATIENCE: Duration = Duration::from_secs(5);
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
    loaded: RwLock<Option<Loaded>>,
    loading: tokio::sync::Mutex<()>,
}

impl Keys {
    pub(crate) fn new(hub: Hub, sealed: SealedBox, clock: SharedClock) -> Result<Self> {
        let pool = SignerPool::new(0, MAX_QUEUE)?;
        Ok(Self { hub, sealed, pool, clock, loaded: RwLock::new(None), loading: tokio::sync::Mutex::new(()) })
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
        if rows.is_empty() {
            rows = self.make_first().await?;
        }
        let at = self.clock.now();
        let now = at.as_secs();
        let usable = |row: &&wire::SigningKey| row.retired_at == 0 || row.retired_at > now;
        let begun = |row: &&wire::SigningKey| row.activated_at != 0 && row.activated_at <= now;
        let active = rows.iter().filter(usable).filter(begun).max_by_key(|row| row.activated_at);
        let active = active.or_else(|| rows.iter().find(usable)).ok_or_else(|| {
            Error::new(ErrorCode::KeyNotConfigured, "The hub has no key to sign tokens with")
        })?;
        let der = self.sealed.open(&active.private_sealed, &place(&active.kid))?;
        let signing = Arc::new(SigningKey::from_pkcs8_der(&der)?);
        let published = rows.iter().filter(|row| row.expires_at == 0 || row.expires_at > now);
        let published = published.map(|row| PublicKey::from_pem(&row.public_pem));
        let ring = Arc::new(KeyRing::new(signing, published.collect::<std::result::Result<_, _>>()?));
        Ok(Loaded { verifier: Arc::new(Verifier::from_ring(&ring)), ring, at })
    }

    async fn make_first(&self) -> Result<Vec<wire::SigningKey>> {
        let made = tokio::task::spawn_blocking(SigningKey::generate).await.map_err(Error::internal)??;
        let private_sealed = self.sealed.seal(&made.to_pkcs8_der()?, &place(made.kid()))?;
        let now = self.clock.now().as_secs();
        let key = wire::SigningKey {
            kid: made.kid().to_owned(),
            private_sealed,
            public_pem: made.public().to_pem()?,
            created_at: now,
            activated_at: now,
            retired_at: 0,
            expires_at: 0,
        };
        tracing::info!(kid = made.kid(), "oauth.key.made");
        Ok(self.hub.add_first_signing_key(wire::AddFirstSigningKeyRequest { key: Some(key) }).await?.keys)
    }
}

/// What a sealed key is bound to.
fn place(kid: &str) -> Vec<u8> {
    format!("oauth signing key {kid}").into_bytes()
}
