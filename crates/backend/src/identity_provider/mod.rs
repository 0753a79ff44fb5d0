//! The identity provider: short tokens that prove a user to the service behind an endpoint.

pub(crate) mod grpc;
pub(crate) mod keys;
mod operator;
pub(crate) mod rotation;
pub(crate) mod routes;
pub(crate) mod schedule;
pub mod wire;

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache as Remembered;
use syfthub_auth::Principal;
use syfthub_auth::satellite::{GUEST, Minted, Minter, Verifier, key_id, normal_audience};
use syfthub_domain::{Error, ErrorCode, Result, Role, SharedClock};
use syfthub_store::{Db, users};

use crate::audit::activity::{Activity, Kind, Whose};
use crate::audit::origin::client_address;
use crate::hub_settings::HubSettings;

use rotation::Keys;
use wire::Verification;

/// How long the answer to "is there such a user" is believed. Tokens live a minute, so a user who is
/// switched off can be named as audience a few seconds longer.
const REMEMBER: Duration = Duration::from_secs(5);
/// Names remembered at once.
const CAPACITY: u64 = 20_000;

/// Whether a name can be an audience.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audience {
    Active,
    Inactive,
    Unknown,
}

/// The rules of satellite tokens.
#[derive(Debug)]
pub struct IdentityProvider {
    db: Db,
    clock: SharedClock,
    minter: Minter,
    hub_settings: Arc<HubSettings>,
    audiences: Remembered<String, Audience>,
    activity: Activity,
    keys: Arc<Keys>,
}

impl IdentityProvider {
    pub(crate) fn new(
        db: Db,
        clock: SharedClock,
        minter: Minter,
        hub_settings: Arc<HubSettings>,
        activity: Activity,
        keys: Arc<Keys>,
    ) -> Self {
        let audiences = Remembered::builder().max_capacity(CAPACITY).time_to_live(REMEMBER).build();
        Self { db, clock, minter, hub_settings, audiences, activity, keys }
    }

    /// A token that proves `principal` to the services of the user `audience`.
    pub(crate) async fn mint(&self, principal: &Principal, audience: &str) -> Result<Minted> {
        let audience = self.check_audience(audience).await?;
        self.keys.keep_current().await;
        let minted = self.minter.mint(principal.user_id, principal.role, &audience, self.clock.now()).await?;
        self.minted(Whose::User(principal.user_id), audience);
        Ok(minted)
    }

    /// A token that lets somebody without an account reach the public endpoints of the user `audience`.
    pub(crate) async fn mint_guest(&self, audience: &str) -> Result<Minted> {
        self.hub_settings.admit_guest()?;
        let audience = self.check_audience(audience).await?;
        self.keys.keep_current().await;
        let minted = self.minter.mint_guest(&audience, self.clock.now()).await?;
        self.minted(Whose::Guest, audience);
        Ok(minted)
    }

    fn minted(&self, whose: Whose<'_>, audience: String) {
        self.activity.note(Kind::SatelliteTokenMinted, whose, client_address(), Some(audience));
    }

    /// Looks at a name again, because its account changed. Other processes believe what they know a little longer.
    pub(crate) async fn forget(&self, name: &str) {
        self.audiences.invalidate(name).await;
    }

    /// The name in its stored form, if it is an active user's. A database that does not answer is an error
    /// here, never a yes.
    async fn check_audience(&self, audience: &str) -> Result<String> {
        let name = normal_audience(audience);
        if name.is_empty() {
            return Err(Error::coded(ErrorCode::MissingAudience, "Audience (aud) is required"));
        }
        let refused = |code, text: String| Err(Error::coded(code, text).with_extra("audience", name.clone()));
        match self.audience(&name).await? {
            Audience::Active => Ok(name),
            Audience::Inactive => {
                refused(ErrorCode::AudienceInactive, format!("Audience '{name}' is inactive"))
            }
            Audience::Unknown => refused(ErrorCode::AudienceNotFound, format!("Audience '{name}' not found")),
        }
    }

    async fn audience(&self, name: &str) -> Result<Audience> {
        if name.len() > 50 {
            return Ok(Audience::Unknown);
        }
        if let Some(known) = self.audiences.get(name).await {
            return Ok(known);
        }
        let found = match users::find_by_username(&self.db, name).await? {
            None => Audience::Unknown,
            Some(user) if user.is_active => Audience::Active,
            Some(_) => Audience::Inactive,
        };
        // Somebody may register this name the next moment, so a no is not remembered.
        if found != Audience::Unknown {
            self.audiences.insert(name.to_owned(), found).await;
        }
        Ok(found)
    }

    /// Every name that can be an audience, in alphabetical order.
    pub(crate) async fn audiences(&self) -> Result<Vec<String>> {
        let names = users::active_usernames(&self.db).await?;
        Ok(names.into_iter().map(syfthub_domain::Username::into_string).collect())
    }

    /// The issuer that every token names.
    pub(crate) fn issuer(&self) -> &str {
        self.minter.issuer()
    }

    /// Rotates the keys.
    pub(crate) fn keys(&self) -> &Arc<Keys> {
        &self.keys
    }

    /// The public keys.
    pub(crate) async fn jwks(&self) -> serde_json::Value {
        self.keys.keep_current().await;
        self.minter.ring().jwks()
    }

    /// Checks a token that was sent to `principal`'s service. Only their own name is accepted as audience.
    pub(crate) async fn verify(&self, principal: &Principal, token: &str) -> Result<Verification> {
        self.keys.keep_current().await;
        let mut verifier = Verifier::from_ring(self.minter.ring());
        // Another replica may have begun to sign with a key that this one has not heard of.
        if key_id(token).is_ok_and(|kid| !verifier.knows(&kid)) {
            self.keys.look_again().await;
            verifier = Verifier::from_ring(self.minter.ring());
        }
        let now = self.clock.now();
        let claims = match verifier.verify(token, principal.username.as_str(), self.minter.issuer(), now) {
            Ok(claims) => claims,
            Err(why) => return Ok(Verification::refused(why.name(), &why.to_string())),
        };
        if claims.is_guest() {
            return Ok(Verification::good(&claims, "guest@syfthub.org", GUEST, Role::Guest));
        }
        let Some(id) = claims.user_id() else {
            return Ok(Verification::refused("invalid_user_id", "The token subject is not a user id"));
        };
        Ok(match users::find_by_id(&self.db, id).await? {
            None => Verification::refused("user_not_found", "The user of this token does not exist"),
            Some(user) if !user.is_active => {
                Verification::refused("user_inactive", "The user of this token is not active")
            }
            Some(user) => {
                Verification::good(&claims, user.email.as_str(), user.username.as_str(), claims.role)
            }
        })
    }
}
