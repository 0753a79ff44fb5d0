//! Who is let in: satellite tokens, verified offline with the hub's public keys.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use syfthub_auth::satellite::{Verifier, VerifyError, key_id};
use syfthub_domain::{Error, ErrorCode, Result, SharedClock, Timestamp, UserId, Visibility};
use syfthub_web::Bearer;
use tokio::sync::Mutex;

use crate::hub::Hub;

/// The hub's keys are fetched again after this long.
const FRESH: Duration = Duration::from_hours(1);
/// An unknown key leads to a fetch at most this often, so that made-up tokens cannot make us flood the hub.
const FETCH_AT_MOST_EVERY: Duration = Duration::from_secs(5);
/// With the hub away, keys fetched before are good for this long.
const STALE: Duration = Duration::from_hours(24);

/// Whose node this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The user's name, which is the audience of tokens for this node.
    pub(crate) username: String,
    /// The user's id.
    pub(crate) id: UserId,
    /// What the hub calls itself in the tokens that it signs.
    pub(crate) issuer: String,
}

/// What is known about the owner; filled in when the hub is reached.
pub(crate) type Standing = Arc<RwLock<Option<Owner>>>;

impl Keys {
    /// The keys, if `kid` is among them and they were fetched less than `age` ago.
    fn knowing(&self, kid: &str, now: Timestamp, age: Duration) -> Option<Arc<Verifier>> {
        let young = self.fetched.is_some_and(|moment| now.since(moment) < age);
        self.verifier.clone().filter(|verifier| young && verifier.knows(kid))
    }
}

/// Checks tokens.
#[derive(Debug)]
pub(crate) struct Gate {
    hub: Hub,
    visibility: Visibility,
    clock: SharedClock,
    owner: Standing,
    keys: RwLock<Keys>,
    /// Held while the keys are fetched.
    fetching: Mutex<()>,
}

#[derive(Debug, Clone, Default)]
struct Keys {
    verifier: Option<Arc<Verifier>>,
    fetched: Option<Timestamp>,
    tried: Option<Timestamp>,
}

impl Gate {
    /// `owner` is filled in by whoever learns it from the hub.
    pub(crate) fn new(hub: Hub, visibility: Visibility, clock: SharedClock, owner: Standing) -> Self {
        Self { hub, visibility, clock, owner, keys: RwLock::default(), fetching: Mutex::default() }
    }

    /// Lets the bearer in or says why not.
    pub(crate) async fn admit(&self, bearer: Bearer) -> Result<()> {
        let Some(token) = bearer.0 else {
            return Err(Error::unauthenticated("A satellite token of the hub is required"));
        };
        let owner = self.owner.read().unwrap_or_else(PoisonError::into_inner).clone();
        let owner = owner.ok_or_else(|| unavailable("This node is not known to its hub yet"))?;
        let kid = key_id(token.expose()).map_err(refused)?;
        let verifier = self.verifier(&kid).await?;
        let claims = verifier
            .verify(token.expose(), &owner.username, &owner.issuer, self.clock.now())
            .map_err(refused)?;
        if self.visibility == Visibility::Public || claims.user_id() == Some(owner.id) {
            return Ok(());
        }
        Err(Error::new(ErrorCode::PermissionDenied, "This endpoint is private: only its owner may use it"))
    }

    /// The hub's keys: those at hand if they are fresh and know `kid`, else fetched. One fetch at a time; who
    /// knows the key already does not wait for it.
    async fn verifier(&self, kid: &str) -> Result<Arc<Verifier>> {
        let at_hand = self.keys();
        let now = self.clock.now();
        if let Some(verifier) = at_hand.knowing(kid, now, FRESH) {
            return Ok(verifier);
        }
        let known = at_hand.knowing(kid, now, STALE);
        let guard = match (self.fetching.try_lock(), known) {
            (Ok(guard), _) => guard,
            (Err(_), Some(verifier)) => return Ok(verifier),
            (Err(_), None) => self.fetching.lock().await,
        };
        // Somebody else may just have fetched them.
        if self.keys().knowing(kid, now, FRESH).is_none() {
            self.refresh(now).await;
        }
        drop(guard);
        let keys = self.keys();
        match keys.verifier.filter(|_| keys.fetched.is_some_and(|moment| now.since(moment) < STALE)) {
            Some(verifier) => Ok(verifier),
            None => Err(unavailable("The hub's public keys cannot be fetched, so tokens cannot be checked")),
        }
    }

    fn keys(&self) -> Keys {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn refresh(&self, now: Timestamp) {
        let mut keys = self.keys();
        if keys.tried.is_some_and(|moment| now.since(moment) < FETCH_AT_MOST_EVERY) {
            return;
        }
        keys.tried = Some(now);
        match self.fetch().await {
            Ok(verifier) => {
                keys.verifier = Some(Arc::new(verifier));
                keys.fetched = Some(now);
            }
            Err(error) => tracing::warn!(cause = error.chain(), "node.keys.not_fetched"),
        }
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    async fn fetch(&self) -> Result<Verifier> {
        let document = self.hub.jwks().await.map_err(|error| Error::internal(error.to_string()))?;
        Verifier::from_jwks(&document)
    }
}

fn refused(error: VerifyError) -> Error {
    Error::unauthenticated(format!("{error} ({})", error.name()))
}

fn unavailable(text: &str) -> Error {
    Error::new(ErrorCode::Unavailable, text).with_retry_after(Duration::from_secs(5))
}
