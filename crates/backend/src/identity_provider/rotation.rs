//! Rotation of the key that signs satellite tokens, so that no verifier ever meets a key that it could not know.
//!
//! A new key is published an hour before it signs, as long as verifiers may keep the key set. The one before stays
//! published until its last token has ended and every kept key set has been fetched again. When a key begins and
//! ends to sign is in its row, so every replica changes over at the same moment, also one that heard of nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::json;
use syfthub_auth::keys::{KeyRing, PublicKey, SigningKey};
use syfthub_auth::sealing::Sealer;
use syfthub_cache::Cache;
use syfthub_config::Settings;
use syfthub_domain::{Error, ErrorCode, Result, SharedClock, Timestamp};
use syfthub_store::keys::SigningKeyRow;
use syfthub_store::{Db, Tx, keys as store};

use super::keys::{PURPOSE, generated, insert_first, open_row};
use crate::audit::{self, Origin};

/// How long verifiers may keep the key set; told them with every answer.
pub(crate) const JWKS_MAX_AGE: Duration = Duration::from_hours(1);
/// For clocks that differ and answers that were on their way.
const MARGIN: Duration = Duration::from_mins(5);
/// How often a replica looks by itself, should a message have been lost.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Shortest time between two looks that strangers can cause by naming unknown keys.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Keys published at once. Verifiers read a bounded number of them.
const MAX_PUBLISHED: usize = 16;
/// Where replicas tell one another of a change.
const CHANNEL: &str = "keys.changed";

/// A key, as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyInfo {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// `active`, `next` (published, signs later), `retired` (only verifies) or `pinned` (active, of the settings).
    pub state: String,
    /// Time of creation; unknown of a pinned key.
    pub created_at: Option<Timestamp>,
    /// From when it signs.
    pub activated_at: Option<Timestamp>,
    /// From when it only verifies.
    pub retired_at: Option<Timestamp>,
    /// Until when it is published; open for the active one.
    pub published_until: Option<Timestamp>,
}

/// The keys of the identity provider.
#[derive(Debug)]
pub(crate) struct Keys {
    db: Db,
    cache: Cache,
    clock: SharedClock,
    settings: Arc<Settings>,
    sealer: Arc<Sealer>,
    ring: Arc<KeyRing>,
    /// The key of the settings, if they give one.
    pinned: Option<Arc<SigningKey>>,
    /// The next moment at which a key begins or ends something, in microseconds.
    boundary: AtomicI64,
    /// When the last look was that a stranger caused, in microseconds.
    looked: AtomicI64,
}

impl Keys {
    /// Loads the keys, making the first one on an empty hub.
    pub(crate) async fn open(
        db: Db,
        cache: Cache,
        clock: SharedClock,
        settings: Arc<Settings>,
        sealer: Arc<Sealer>,
    ) -> Result<Self> {
        let now = clock.now();
        let rsa = &settings.rsa;
        let (pinned, made) = match &rsa.private_pem {
            Some(private) => {
                (Some(Arc::new(SigningKey::from_pem(private.expose(), rsa.public_pem.as_deref())?)), false)
            }
            None => (None, insert_first(&db, &settings, &sealer, now).await?),
        };
        let rows = store::list(&db, PURPOSE).await?;
        let signing = match &pinned {
            Some(key) => Arc::clone(key),
            None => Arc::new(open_row(&sealer, active(&rows, now)?)?),
        };
        let others = published(&rows, now).map(public).collect::<Result<_>>()?;
        let ring = Arc::new(KeyRing::new(signing, others));
        let origin = match (&pinned, made) {
            (Some(_), _) => "given by the environment, pinned",
            (None, true) => "generated on first start",
            (None, false) => "from the database",
        };
        let (kid, all) = (ring.active().kid().to_owned(), ring.public_keys().len());
        tracing::info!(target: "syfthub.api.identity", kid, published = all, origin, "RSA keys ready");
        let boundary = AtomicI64::new(next_change(&rows, now));
        Ok(Self { db, cache, clock, settings, sealer, ring, pinned, boundary, looked: AtomicI64::new(0) })
    }

    /// The ring that signs and publishes.
    pub(crate) fn ring(&self) -> &Arc<KeyRing> {
        &self.ring
    }

    /// Changes over when the moment of a change has come. Costs one comparison otherwise.
    pub(crate) async fn keep_current(&self) {
        let now = self.clock.now();
        if now.as_micros() < self.boundary.load(Ordering::Acquire) {
            return;
        }
        if let Err(error) = self.reload().await {
            tracing::warn!(target: "syfthub.api.identity", %error, chain = error.chain(), "identity.keys.not_reloaded");
            // The old key goes on for a while; its tokens are good longer than that.
            self.boundary.store(now.plus(LOOK_EVERY).as_micros(), Ordering::Release);
        }
    }

    /// Looks again because somebody named a key that is not known here, at most once a second.
    pub(crate) async fn look_again(&self) {
        let now = self.clock.now().as_micros();
        let last = self.looked.load(Ordering::Acquire);
        let due = now.saturating_sub(last) >= i64::try_from(LOOK_AGAIN.as_micros()).unwrap_or(i64::MAX);
        let mine =
            due && self.looked.compare_exchange(last, now, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if mine && let Err(error) = self.reload().await {
            tracing::warn!(target: "syfthub.api.identity", %error, chain = error.chain(), "identity.keys.not_reloaded");
        }
    }

    /// Reads the rows and replaces the ring if they say something else.
    pub(crate) async fn reload(&self) -> Result<()> {
        let now = self.clock.now();
        let rows = store::list(&self.db, PURPOSE).await?;
        let current = self.ring.active();
        let signing = match &self.pinned {
            Some(key) => Arc::clone(key),
            None => match active(&rows, now)? {
                // Opening and parsing costs a millisecond, so the key that is in use stays.
                row if row.kid == current.kid() => current,
                row => Arc::new(open_row(&self.sealer, row)?),
            },
        };
        let others = published(&rows, now).map(public).collect::<Result<_>>()?;
        self.ring.replace(signing, others);
        self.boundary.store(next_change(&rows, now), Ordering::Release);
        Ok(())
    }

    /// Follows the other replicas until the process ends.
    pub(crate) async fn follow_changes(&self) {
        let mut messages = self.cache.subscribe(CHANNEL).await;
        loop {
            // Whichever it is, a message or the time, the rows say what is so.
            let _ = tokio::time::timeout(LOOK_EVERY, messages.next()).await;
            if let Err(error) = self.reload().await {
                tracing::warn!(target: "syfthub.api.identity", %error, chain = error.chain(), "identity.keys.not_reloaded");
            }
        }
    }

    async fn changed(&self) -> Result<()> {
        self.reload().await?;
        if let Err(error) = self.cache.publish(CHANNEL, "").await {
            tracing::warn!(target: "syfthub.api.identity", %error, "identity.keys.not_announced");
        }
        Ok(())
    }

    /// All keys that are published, newest first.
    pub(crate) async fn list(&self) -> Result<Vec<KeyInfo>> {
        let now = self.clock.now();
        let rows = store::list(&self.db, PURPOSE).await?;
        let signing = if self.pinned.is_some() { None } else { Some(active(&rows, now)?.kid.clone()) };
        let pinned = self.pinned.iter().map(|key| KeyInfo {
            kid: key.kid().to_owned(),
            state: "pinned".to_owned(),
            created_at: None,
            activated_at: None,
            retired_at: None,
            published_until: None,
        });
        let stored = published(&rows, now).map(|row| KeyInfo {
            kid: row.kid.clone(),
            state: state(row, signing.as_deref(), now).to_owned(),
            created_at: Some(row.created_at),
            activated_at: row.activated_at,
            retired_at: row.retired_at,
            published_until: row.expires_at,
        });
        Ok(pinned.chain(stored).collect())
    }

    /// Makes a new key. It signs when every verifier can know it, or at once (`at_once`); a key that is waiting for
    /// its time is then taken instead of a new one.
    pub(crate) async fn rotate(&self, origin: &Origin, at_once: bool) -> Result<()> {
        if self.pinned.is_some() {
            return Err(conflict(
                "The signing key is given by RSA_PRIVATE_KEY_PEM or RSA_PRIVATE_KEY_PATH, so it is rotated there: replace the \
                 value (and RSA_PUBLIC_KEY_PEM, if it is set) and restart every replica. To let the hub make and rotate its \
                 own keys, remove the settings",
            ));
        }
        // Made before the lock is taken: it takes up to seconds.
        let fresh = generated(&self.settings, &self.sealer, self.clock.now()).await?;
        let mut tx = self.db.begin().await?;
        store::lock(&mut tx).await?;
        let now = self.clock.now();
        store::purge_expired(&mut tx, now).await?;
        let rows = store::list(&mut tx, PURPOSE).await?;
        let waiting = rows.iter().find(|row| row.activated_at.is_none_or(|at| at > now)).cloned();
        let next = match waiting {
            Some(row) if !at_once => {
                let at = row.activated_at.unwrap_or(now);
                let text = format!(
                    "The key {} is published already and signs from {at} on. Wait for it, or add --now",
                    row.kid
                );
                return Err(conflict(text));
            }
            Some(row) => {
                let next = SigningKeyRow { activated_at: Some(now), ..row };
                store::set_times(&mut tx, &next).await?;
                next
            }
            None => {
                if rows.len() >= MAX_PUBLISHED {
                    let text = format!(
                        "{MAX_PUBLISHED} keys are published already. Wait until the oldest have ended, or retire some"
                    );
                    return Err(conflict(text));
                }
                let starts = if at_once { now } else { now.plus(JWKS_MAX_AGE) };
                let next = SigningKeyRow { activated_at: Some(starts), created_at: now, ..fresh };
                store::insert(&mut tx, &next).await?;
                next
            }
        };
        self.hand_over(&mut tx, &rows, &next, now).await?;
        let mut entry = origin.entry(now, "key.rotated", "signing_key", &next.kid);
        entry.after = Some(json!({"kid": next.kid, "signs_from": next.activated_at, "at_once": at_once}));
        audit::record(&mut tx, &entry).await?;
        tx.commit().await?;
        tracing::info!(target: "syfthub.api.identity", kid = next.kid, at_once, "identity.key.rotated");
        self.changed().await
    }

    /// Whatever signs now stops when `next` begins, and is published as long as somebody may need it.
    async fn hand_over(
        &self,
        tx: &mut Tx,
        rows: &[SigningKeyRow],
        next: &SigningKeyRow,
        now: Timestamp,
    ) -> Result<()> {
        let ends = next.activated_at.unwrap_or(now);
        let gone = ends.plus(self.settings.tokens.satellite_ttl).plus(JWKS_MAX_AGE).plus(MARGIN);
        let signing = |row: &&SigningKeyRow| row.retired_at.is_none_or(|at| at > now);
        for row in rows.iter().filter(signing).filter(|row| row.kid != next.kid) {
            let old = SigningKeyRow { retired_at: Some(ends), expires_at: Some(gone), ..row.clone() };
            store::set_times(tx, &old).await?;
        }
        Ok(())
    }

    /// Takes a retired key out of the published ones before its time. `force` does it although tokens that it
    /// signed may still be in use.
    pub(crate) async fn retire(&self, origin: &Origin, kid: &str, force: bool) -> Result<()> {
        let mut tx = self.db.begin().await?;
        store::lock(&mut tx).await?;
        let now = self.clock.now();
        let rows = store::list(&mut tx, PURPOSE).await?;
        let row = named(&rows, kid, now)?;
        if self.pinned.is_none() {
            let signing = active(&rows, now)?.kid.clone();
            match state(row, Some(&signing), now) {
                "active" => {
                    return Err(conflict(
                        "This key signs now; rotate first (with --now if it must not sign any more)",
                    ));
                }
                "next" => {
                    return Err(conflict(
                        "This key is the next to sign; `keys rotate --now` puts it in force, then a new one can follow",
                    ));
                }
                _ => {}
            }
        }
        let ended = row.retired_at.map(|at| at.plus(self.settings.tokens.satellite_ttl));
        if !force && ended.is_none_or(|at| at > now) {
            return Err(conflict(
                "Tokens that this key signed may still be in use; it goes by itself when they have ended. With --force it goes \
                 now: its tokens are refused as soon as a verifier fetches the keys again",
            ));
        }
        let gone =
            SigningKeyRow { retired_at: row.retired_at.or(Some(now)), expires_at: Some(now), ..row.clone() };
        store::set_times(&mut tx, &gone).await?;
        let mut entry = origin.entry(now, "key.retired", "signing_key", &gone.kid);
        entry.after = Some(json!({"kid": gone.kid, "force": force}));
        audit::record(&mut tx, &entry).await?;
        tx.commit().await?;
        tracing::info!(target: "syfthub.api.identity", kid = gone.kid, force, "identity.key.retired");
        self.changed().await
    }
}

fn conflict(text: impl Into<String>) -> Error {
    Error::new(ErrorCode::Conflict, text.into())
}

fn public(row: &SigningKeyRow) -> Result<PublicKey> {
    Ok(PublicKey::from_pem(&row.public_pem)?)
}

/// The rows whose tokens are good or may become so, newest first.
fn published(rows: &[SigningKeyRow], now: Timestamp) -> impl Iterator<Item = &SigningKeyRow> {
    rows.iter().filter(move |row| row.expires_at.is_none_or(|end| end > now))
}

/// The key that signs: of those whose time has come and is not over, the one that began last.
fn active(rows: &[SigningKeyRow], now: Timestamp) -> Result<&SigningKeyRow> {
    let begun = |row: &&SigningKeyRow| row.activated_at.is_some_and(|at| at <= now);
    let signing = rows.iter().filter(begun).filter(|row| row.retired_at.is_none_or(|at| at > now));
    let latest = signing.max_by_key(|row| (row.activated_at, row.created_at));
    // A clock that was set back finds no key whose time has come; the one without an end is the right one.
    let latest = latest.or_else(|| rows.iter().find(|row| row.retired_at.is_none()));
    latest.ok_or_else(|| Error::internal("no RSA key could be stored"))
}

fn state(row: &SigningKeyRow, signing: Option<&str>, now: Timestamp) -> &'static str {
    if signing == Some(row.kid.as_str()) {
        "active"
    } else if signing.is_some() && row.activated_at.is_none_or(|at| at > now) {
        "next"
    } else {
        "retired"
    }
}

/// The published key of this name, or of the one name that begins so.
fn named<'a>(rows: &'a [SigningKeyRow], kid: &str, now: Timestamp) -> Result<&'a SigningKeyRow> {
    let found: Vec<_> =
        published(rows, now).filter(|row| !kid.is_empty() && row.kid.starts_with(kid)).collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(Error::not_found("No published key has this id; `keys list` names them")),
        _ => Err(conflict("Several keys begin with this id; give more of it")),
    }
}

/// The next moment at which a key begins or ends something, in microseconds.
fn next_change(rows: &[SigningKeyRow], now: Timestamp) -> i64 {
    let moments = rows.iter().flat_map(|row| [row.activated_at, row.retired_at, row.expires_at]);
    let later = moments.flatten().filter(|moment| *moment > now);
    later.min().map_or(i64::MAX, Timestamp::as_micros)
}

#[cfg(test)]
#[path = "rotation_tests.rs"]
mod tests;
