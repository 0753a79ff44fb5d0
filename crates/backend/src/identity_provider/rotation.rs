//! Rotation of the key that signs satellite tokens, so that no verifier ever meets a key that it could not know.
//!
//! A new key is published an hour before it signs, as long as verifiers may keep the key set. The one before stays
//! published until its last token has ended and every kept key set has been fetched again. When a key begins and
//! ends to sign is in its row, so every replica changes over at the same moment, also one that heard of nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use syfthub_auth::keys::{KeyRing, SigningKey};
use syfthub_auth::sealing::Sealer;
use syfthub_cache::Cache;
use syfthub_config::Settings;
use syfthub_domain::{Result, SharedClock};
use syfthub_store::{Db, keys as store};

use super::keys::{PURPOSE, generated, insert_first, open_row};
use super::schedule::{Schedule, active, conflict, next_change, public, published};
use crate::audit::Origin;

pub(crate) use super::schedule::{JWKS_MAX_AGE, KeyInfo};

/// How often a replica looks by itself, should a message have been lost.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Shortest time between two looks that strangers can cause by naming unknown keys.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Where replicas tell one another of a change.
const CHANNEL: &str = "keys.changed";

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

    /// When the keys of this ring begin and end.
    fn schedule(&self) -> Schedule<'_> {
        let life = self.settings.tokens.satellite_ttl;
        Schedule {
            db: &self.db,
            clock: &self.clock,
            purpose: PURPOSE,
            life,
            is_pinned: self.pinned.is_some(),
        }
    }

    /// All keys that are published, newest first.
    pub(crate) async fn list(&self) -> Result<Vec<KeyInfo>> {
        let pinned = self.pinned.iter().map(|key| KeyInfo {
            kid: key.kid().to_owned(),
            state: "pinned".to_owned(),
            created_at: None,
            activated_at: None,
            retired_at: None,
            published_until: None,
        });
        Ok(pinned.chain(self.schedule().list().await?).collect())
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
        self.schedule().rotate(origin, fresh, at_once).await?;
        self.changed().await
    }

    /// Takes a retired key out of the published ones before its time. `force` does it although tokens that it
    /// signed may still be in use.
    pub(crate) async fn retire(&self, origin: &Origin, kid: &str, force: bool) -> Result<()> {
        self.schedule().retire(origin, kid, force).await?;
        self.changed().await
    }
}
