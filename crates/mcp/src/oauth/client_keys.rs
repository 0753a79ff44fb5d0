//! The keys of clients that prove with one who they are: in their metadata, or at an address of theirs.

use std::time::Duration;

use axum::http::{HeaderValue, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use syfthub_auth::public_jwk::PublicJwk;
use syfthub_cache::Cache;
use syfthub_config::Rule;
use syfthub_domain::Result;
use syfthub_egress::Client as Egress;
use syfthub_web::limits::RateLimiter;
use syfthub_web::{ApiError, ClientIp};
use url::Url;

use super::documents::LARGEST;
use super::metadata::{KeySource, MOST_KEYS};

/// How long keys of an address are kept: a key that its client takes out of use is believed for no longer.
const KEPT: Duration = Duration::from_mins(15);
/// How long an address that gives none is not asked again.
const ABSENT: Duration = Duration::from_secs(30);
/// Shortest time between two looks at an address that somebody causes by naming a key that is not known.
const AGAIN: Duration = Duration::from_secs(30);

/// What is kept of an address.
#[derive(Serialize, Deserialize)]
enum Kept {
    Good(Value),
    Bad(String),
}

/// Fetches and keeps keys.
#[derive(Debug)]
pub(crate) struct ClientKeys {
    egress: Egress,
    cache: Cache,
    limiter: RateLimiter,
    rule: Rule,
}

impl ClientKeys {
    pub(crate) fn new(egress: Egress, cache: Cache, limiter: RateLimiter, rule: Rule) -> Self {
        Self { egress, cache, limiter, rule }
    }

    /// The keys of a client, or in words why there are none.
    pub(crate) async fn of(
        &self,
        source: KeySource<'_>,
        asks: ClientIp,
    ) -> Result<std::result::Result<Vec<PublicJwk>, String>> {
        match source {
            KeySource::Inline(jwks) => Ok(Ok(read(jwks))),
            KeySource::Address(address) => self.at(address, asks, false).await,
        }
    }

    /// The same once more, because none of them was the right one: a client may have begun to use a new key. `None` when
    /// it is too early to ask again.
    pub(crate) async fn again(
        &self,
        source: KeySource<'_>,
        asks: ClientIp,
    ) -> Result<Option<Vec<PublicJwk>>> {
        let KeySource::Address(address) = source else { return Ok(None) };
        let may = self.cache.put_new(&format!("oauth-keys-again:{}", hash(address)), "1", AGAIN).await;
        if !may.unwrap_or(false) {
            return Ok(None);
        }
        Ok(self.at(address, asks, true).await?.ok())
    }

    async fn at(
        &self,
        address: &str,
        asks: ClientIp,
        anew: bool,
    ) -> Result<std::result::Result<Vec<PublicJwk>, String>> {
        let key = format!("oauth-keys:{}", hash(address));
        // A cache that is down costs a fetch, no sign-in.
        let kept: Option<Kept> =
            if anew { None } else { self.cache.get_json(&key).await.unwrap_or_default() };
        let kept = if let Some(kept) = kept {
            kept
        } else {
            let limited = self.limiter.check("oauth-document", &asks.limit_bucket(), self.rule).await;
            limited.map_err(ApiError::into_error)?;
            let (kept, time) = match self.fetch(address).await {
                Ok(jwks) => (Kept::Good(jwks), KEPT),
                Err(why) => (Kept::Bad(why), ABSENT),
            };
            if let Err(error) = self.cache.put_json(&key, &kept, time).await {
                tracing::debug!(%error, "oauth.client_keys.not_kept");
            }
            kept
        };
        Ok(match kept {
            Kept::Good(jwks) => Ok(read(&jwks)),
            Kept::Bad(why) => Err(why),
        })
    }

    async fn fetch(&self, address: &str) -> std::result::Result<Value, String> {
        let unreadable = |error: syfthub_egress::Error| {
            tracing::info!(%error, "oauth.client_keys.failed");
            "The keys of this client could not be fetched from its jwks_uri".to_owned()
        };
        let url = Url::parse(address).map_err(|_| "The jwks_uri of this client is no address".to_owned())?;
        let accept = HeaderValue::from_static("application/jwk-set+json, application/json");
        let answer = self.egress.get(url).header(header::ACCEPT, accept).send().await.map_err(unreadable)?;
        if answer.status().as_u16() != 200 {
            return Err("The jwks_uri of this client must answer 200, without a redirect".to_owned());
        }
        let jwks: Value = answer.json_capped(LARGEST).await.map_err(unreadable)?;
        if read(&jwks).is_empty() {
            return Err("The jwks_uri of this client has no key that can be used".to_owned());
        }
        Ok(jwks)
    }
}

/// Every key of a set that can be used.
fn read(jwks: &Value) -> Vec<PublicJwk> {
    let keys = jwks.get("keys").and_then(Value::as_array).into_iter().flatten();
    keys.take(MOST_KEYS).filter_map(|jwk| PublicJwk::read(jwk).ok()).collect()
}

fn hash(address: &str) -> String {
    hex::encode(Sha256::digest(address.as_bytes()))
}
