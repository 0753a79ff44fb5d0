//! The keys of the authorization server. Their private halves are sealed with a key that is not used here.

use serde_json::json;
use syfthub_auth::keys::PublicKey;
use syfthub_domain::Result;
use syfthub_store::keys::{self, SigningKeyRow};

use super::checks::bad;
use super::{OAuth, SERVER};
use crate::access::grants::KEYS;
use crate::audit::{self, Origin};

impl OAuth {
    /// Keys that are published, newest first.
    pub(super) async fn keys(&self) -> Result<Vec<SigningKeyRow>> {
        let now = self.clock.now();
        let rows = keys::list(&self.db, KEYS).await?;
        Ok(rows.into_iter().filter(|row| row.expires_at.is_none_or(|end| end > now)).collect())
    }

    /// Stores the first key, unless there is one that signs. Replicas that start at the same time end with the same.
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
        if keys::insert_first(&mut tx, &key).await? {
            let mut entry = Origin::system(SERVER).entry(now, "key.created", "signing_key", &key.kid);
            entry.after = Some(json!({"kid": key.kid, "purpose": KEYS}));
            audit::record(&mut tx, &entry).await?;
            tracing::info!(target: "syfthub.api.identity", kid = key.kid, purpose = KEYS, "identity.key.created");
        }
        tx.commit().await?;
        self.keys().await
    }
}
