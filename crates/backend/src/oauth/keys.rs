//! The keys of the authorization server. Their private halves are sealed; what is sealed is never opened here.

use serde_json::json;
use syfthub_auth::keys::PublicKey;
use syfthub_auth::oauth_keys;
use syfthub_domain::{Error, Result, Timestamp};
use syfthub_store::Tx;
use syfthub_store::keys::{self, SigningKeyRow};
use syfthub_store::oauth::grants::ACCESS_LIFE;

use super::checks::bad;
use super::{OAuth, SERVER};
use crate::access::grants::KEYS;
use crate::audit::{self, Origin};
use crate::identity_provider::schedule::{KeyInfo, Schedule, conflict};

impl OAuth {
    fn schedule(&self) -> Schedule<'_> {
        Schedule { db: &self.db, clock: &self.clock, purpose: KEYS, life: ACCESS_LIFE, is_pinned: false }
    }

    /// Keys that are published, newest first.
    pub(super) async fn keys(&self) -> Result<Vec<SigningKeyRow>> {
        let now = self.clock.now();
        let rows = keys::list(&self.db, KEYS).await?;
        Ok(rows.into_iter().filter(|row| row.expires_at.is_none_or(|end| end > now)).collect())
    }

    /// Stores the first key, unless there is one that signs. Replicas that start at the same time end with the same. A
    /// key without a private half is that of the operator's settings and takes the place of every other; it gives it
    /// back to the first one that is made after it.
    pub(super) async fn add_first_key(&self, key: SigningKeyRow) -> Result<Vec<SigningKeyRow>> {
        if PublicKey::from_pem(&key.public_pem).map_err(|_| bad("public_pem"))?.kid() != key.kid {
            return Err(bad("kid"));
        }
        let now = self.clock.now();
        let key = SigningKeyRow {
            purpose: KEYS.to_owned(),
            created_at: now,
            activated_at: Some(key.activated_at.unwrap_or(now)),
            retired_at: None,
            expires_at: None,
            ..key
        };
        let mut tx = self.db.begin().await?;
        keys::lock(&mut tx).await?;
        let rows = keys::list(&mut tx, KEYS).await?;
        let others = || rows.iter().filter(|row| row.kid != key.kid && row.retired_at.is_none());
        let is_pinned = key.private_sealed.is_empty();
        let is_new = if is_pinned || others().all(|row| row.private_sealed.is_empty()) {
            let is_new = self.put(&mut tx, &rows, &key, now).await?;
            self.schedule().hand_over(&mut tx, &rows, &key, now).await?;
            is_new
        } else {
            keys::insert_first(&mut tx, &key).await?
        };
        if is_new {
            let action = if is_pinned { "key.pinned" } else { "key.created" };
            let mut entry = Origin::system(SERVER).entry(now, action, "signing_key", &key.kid);
            entry.after = Some(json!({"kid": key.kid, "purpose": KEYS}));
            audit::record(&mut tx, &entry).await?;
            tracing::info!(target: "syfthub.api.identity", kid = key.kid, purpose = KEYS, is_pinned, "identity.key.created");
        }
        tx.commit().await?;
        self.access.grants().forget_keys();
        self.keys().await
    }

    /// Stores a key, or puts one in force again that is there. Gives whether that changed something.
    async fn put(
        &self,
        tx: &mut Tx,
        rows: &[SigningKeyRow],
        key: &SigningKeyRow,
        now: Timestamp,
    ) -> Result<bool> {
        match rows.iter().find(|row| row.kid == key.kid) {
            None => {
                keys::insert(tx, key).await?;
                Ok(true)
            }
            Some(row) if row.retired_at.is_none() && row.activated_at.is_some_and(|at| at <= now) => {
                Ok(false)
            }
            Some(_) => Ok(keys::set_times(tx, key).await?),
        }
    }

    /// The keys for an operator.
    pub(crate) async fn list_keys(&self) -> Result<Vec<KeyInfo>> {
        self.schedule().list().await
    }

    /// Makes a new key, sealed for the MCP service, which takes it by itself within seconds of its time.
    pub(crate) async fn rotate_key(&self, origin: &Origin, at_once: bool) -> Result<()> {
        if self.list_keys().await?.iter().any(|key| key.state == "pinned") {
            return Err(conflict(
                "The signing key of the OAuth server is given by MCP_RSA_PRIVATE_KEY_PEM or MCP_RSA_PRIVATE_KEY_PATH, so it is \
                 rotated there: replace the value and restart every replica of the MCP service. To let the hub make and rotate \
                 its own keys, remove the setting and restart",
            ));
        }
        // Made before the lock is taken: it takes up to seconds.
        let (sealing, bits) = (self.sealing.clone(), self.key_bits);
        let made = tokio::task::spawn_blocking(move || oauth_keys::generate(bits, &sealing));
        let made = made.await.map_err(Error::internal)??;
        let now = self.clock.now();
        let fresh = SigningKeyRow {
            kid: made.kid,
            purpose: KEYS.to_owned(),
            private_sealed: made.private_sealed,
            public_pem: made.public_pem,
            created_at: now,
            activated_at: Some(now),
            retired_at: None,
            expires_at: None,
        };
        self.schedule().rotate(origin, fresh, at_once).await?;
        self.access.grants().forget_keys();
        Ok(())
    }

    /// Takes a retired key out of the published ones before its time.
    pub(crate) async fn retire_key(&self, origin: &Origin, kid: &str, force: bool) -> Result<()> {
        self.schedule().retire(origin, kid, force).await?;
        self.access.grants().forget_keys();
        self.access.forget_everybody().await;
        Ok(())
    }
}
