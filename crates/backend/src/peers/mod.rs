//! What clients need to reach services behind a firewall over NATS: credentials, peer tokens, public keys.

pub(crate) mod routes;
mod wire;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng as _;
use serde::Serialize;
use syfthub_cache::Cache;
use syfthub_config::{Nats, Secret};
use syfthub_domain::{Error, ErrorCode, Result, SharedClock, UserId};
use syfthub_store::{Db, users};

use self::wire::Peer;
use crate::audit::{Origin, record};
use crate::parts::Parts;

/// Bytes of a public key.
const KEY: usize = 32;

/// The rules of the feature.
#[derive(Debug)]
pub(crate) struct Peers {
    db: Db,
    cache: Cache,
    clock: SharedClock,
    nats: Nats,
}

/// What stands behind a peer token. The secret of the NATS server is not in it: whoever reads the cache must not
/// learn it.
#[derive(Serialize)]
struct Grant<'a> {
    /// 0 for a guest.
    user_id: i64,
    peer_channel: &'a str,
    target_usernames: &'a [String],
    nats_url: &'a str,
}

impl Peers {
    /// Builds the feature.
    #[expect(clippy::unnecessary_wraps, reason = "every feature is built alike")]
    pub(crate) fn build(parts: &Parts) -> Result<Self> {
        let nats = parts.settings.optional.nats.clone();
        Ok(Self { db: parts.db.clone(), cache: parts.cache.clone(), clock: parts.clock.clone(), nats })
    }

    /// What the NATS server asks every client for, or 503.
    pub(crate) fn credential(&self) -> Result<&Secret> {
        self.nats.auth_token.as_ref().ok_or_else(|| {
            let text = "NATS is not configured on this hub; its operator sets NATS_AUTH_TOKEN";
            Error::new(ErrorCode::NotConfigured, text)
        })
    }

    /// Makes a peer token for a user.
    pub(crate) async fn token_for(&self, user: UserId, targets: &[String]) -> Result<Peer> {
        self.credential()?;
        self.token("nats:peer:", user.0, targets, self.nats.peer_ttl).await
    }

    /// Makes a peer token for a guest.
    pub(crate) async fn token_for_guest(&self, targets: &[String]) -> Result<Peer> {
        self.credential()?;
        self.token("nats:guest-peer:", 0, targets, self.nats.guest_ttl).await
    }

    async fn token(&self, prefix: &str, user_id: i64, targets: &[String], ttl: Duration) -> Result<Peer> {
        let (mut secret, mut channel) = ([0_u8; 32], [0_u8; 16]);
        rand::rng().fill_bytes(&mut secret);
        rand::rng().fill_bytes(&mut channel);
        let peer_token = format!("pt_{}", URL_SAFE_NO_PAD.encode(secret));
        let peer_channel = format!("peer_{}", hex::encode(channel));
        let grant = Grant {
            user_id,
            peer_channel: &peer_channel,
            target_usernames: targets,
            nats_url: &self.nats.url,
        };
        self.cache.put_json(&format!("{prefix}{peer_token}"), &grant, ttl).await?;
        let nats_url = self.nats.public_ws_url.clone();
        Ok(Peer { peer_token, peer_channel, expires_in: ttl.as_secs(), nats_url })
    }

    /// Sets the public key under which others write to a user.
    pub(crate) async fn set_key(&self, origin: &Origin, user: UserId, key: &str) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let before = users::find_by_id(&mut tx, user).await?.and_then(|row| row.encryption_public_key);
        users::set_encryption_key(&mut tx, user, key, now).await?;
        let mut entry = origin.entry(now, "encryption_key.changed", "user", user);
        entry.before = before.map(Into::into);
        entry.after = Some(key.into());
        record(&mut tx, &entry).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The public key of an active user, if they have one.
    pub(crate) async fn key_of(&self, username: &str) -> Result<Option<String>> {
        let user = users::find_by_username(&self.db, &username.trim().to_lowercase()).await?;
        match user.filter(|user| user.is_active) {
            Some(user) => Ok(user.encryption_public_key),
            None => Err(Error::not_found("User not found")),
        }
    }
}

/// Whether a text is a public key: 32 bytes in base64url, padded or not.
fn checked_key(text: &str) -> std::result::Result<String, String> {
    let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('='));
    match bytes {
        Ok(bytes) if bytes.len() == KEY => Ok(text.to_owned()),
        _ => Err(format!("must be exactly {KEY} bytes in base64url")),
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD_NO_PAD;

    use super::*;

    #[test]
    fn a_key_has_32_bytes_with_padding_or_without() {
        let key = URL_SAFE_NO_PAD.encode([251_u8; 32]);
        assert_eq!(checked_key(&key).as_deref(), Ok(key.as_str()));
        assert!(checked_key(&format!("{key}=")).is_ok());
        for wrong in [
            URL_SAFE_NO_PAD.encode([1_u8; 31]),
            URL_SAFE_NO_PAD.encode([1_u8; 33]),
            String::new(),
            "é".to_owned(),
        ] {
            assert!(checked_key(&wrong).is_err(), "{wrong}");
        }
        assert!(checked_key(&STANDARD_NO_PAD.encode([251_u8; 32])).is_err(), "the alphabet is that of URLs");
    }
}
