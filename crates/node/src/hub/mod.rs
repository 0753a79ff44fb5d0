//! Talks to the hub like any other client of its API.

mod publish;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use syfthub_config::Secret;
use syfthub_domain::{Slug, Timestamp, UserId, Visibility};
use syfthub_egress::{Client, Limits, Response};
use url::Url;

use crate::config::{TokenFault, Tokens};
use crate::server::gate::Owner;

pub(crate) use publish::{Publication, Publisher};

/// Bounds of one call to the hub.
const LIMITS: Limits =
    Limits { connect: Duration::from_secs(5), total: Duration::from_secs(15), max_body: 1024 * 1024 };
/// How much of an error text of the hub is shown.
const MAX_DETAIL: usize = 300;

/// The hub's API with the publisher's credential.
#[derive(Debug, Clone)]
pub(crate) struct Hub {
    client: Client,
    base: Url,
    token: Arc<dyn Tokens>,
}

/// Why the hub did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HubError {
    /// It is not there, or what is there is no hub.
    #[error("the hub at {hub} cannot be reached: {cause}")]
    Away { hub: String, cause: String },
    /// It said no, and will say so again.
    #[error("{0}")]
    Refused(String),
}

/// What is published under a slug.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    pub(crate) slug: Slug,
    pub(crate) name: String,
    pub(crate) description: String,
    /// `data_source` or `model`.
    pub(crate) kind: &'static str,
    pub(crate) tags: &'static [&'static str],
    pub(crate) readme: String,
    pub(crate) visibility: Visibility,
}

#[derive(Deserialize)]
struct Me {
    id: i64,
    username: String,
}

impl Hub {
    pub(crate) fn new(base: Url, token: Arc<dyn Tokens>) -> Result<Self, syfthub_egress::Error> {
        Ok(Self { client: Client::operator(LIMITS)?, base, token })
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        url.set_query(None);
        url.set_fragment(None);
        // `NodeConfig::hub` was checked to be http or https, which always has segments.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    fn away(&self, cause: &impl ToString) -> HubError {
        HubError::Away { hub: self.base.origin().ascii_serialization(), cause: cause.to_string() }
    }

    async fn credential(&self) -> Result<Secret, HubError> {
        self.token.token().await.map_err(|fault| match fault {
            TokenFault::Away(cause) => self.away(&cause),
            TokenFault::Refused(text) => HubError::Refused(text),
        })
    }

    async fn send(&self, method: Method, path: &[&str], body: Option<&Value>) -> Result<Response, HubError> {
        let token = self.credential().await?;
        let mut request = self.client.request(method, self.url(path)).bearer(&token);
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.map_err(|error| self.away(&error))
    }

    async fn json(&self, response: Response) -> Result<Value, HubError> {
        response.json_capped(LIMITS.max_body).await.map_err(|error| self.away(&error))
    }

    /// An answer other than 2xx: a fault of the hub that may pass, or a refusal that will not.
    async fn failure(&self, doing: &str, response: Response) -> HubError {
        let status = response.status();
        let detail = detail(&response.excerpt(16 * 1024).await);
        if status.is_server_error()
            || matches!(status.as_u16(), 404 | 408 | 425 | 429)
            || !status.is_client_error()
        {
            return self.away(&format!("it answered {status} to {doing}"));
        }
        let advice = match status.as_u16() {
            401 => {
                "; sign in with `syfthub login`, or check --token: a personal access token of this hub that is not revoked or expired"
            }
            403 => "; the token needs the scope write or full",
            _ => "",
        };
        HubError::Refused(format!("the hub refused {doing} ({status}: {detail}){advice}"))
    }

    /// Whose token this is, and what the hub calls itself: `issuer` if it is given, else what stands in a
    /// satellite token that the hub mints for us. Its public address and the one we reach it by may differ.
    pub(crate) async fn me(&self, issuer: Option<&str>) -> Result<Owner, HubError> {
        let response = self.send(Method::GET, &["api", "v1", "auth", "me"], None).await?;
        if !response.status().is_success() {
            return Err(self.failure("the token", response).await);
        }
        let me: Me = serde_json::from_value(self.json(response).await?)
            .map_err(|_| self.away(&"its answer is not that of a SyftHub hub; check --hub"))?;
        let issuer = match issuer {
            Some(issuer) => issuer.trim_end_matches('/').to_owned(),
            None => match self.issuer(&me.username).await? {
                Some(issuer) => issuer,
                None => self.base.as_str().trim_end_matches('/').to_owned(),
            },
        };
        Ok(Owner { username: me.username, id: UserId(me.id), issuer })
    }

    /// The issuer in a token of the hub for ourselves; `None` when it mints none for us.
    async fn issuer(&self, username: &str) -> Result<Option<String>, HubError> {
        let mut url = self.url(&["api", "v1", "token"]);
        url.query_pairs_mut().append_pair("aud", username);
        let token = self.credential().await?;
        let response = self.client.get(url).bearer(&token).send().await.map_err(|error| self.away(&error))?;
        if response.status().is_server_error() {
            return Err(self.failure("to mint a token", response).await);
        }
        if !response.status().is_success() {
            return Ok(None);
        }
        let body = self.json(response).await?;
        let token = body.get("target_token").and_then(Value::as_str);
        Ok(token.and_then(issuer_of))
    }

    /// Creates or updates an endpoint of the publisher.
    pub(crate) async fn publish(&self, offer: &Offer, public_url: &Url) -> Result<(), HubError> {
        let doing = format!("to publish {}", offer.slug);
        let response = self.update(offer, public_url).await?;
        let response = if response.status().as_u16() == 404 {
            let mut body = offer.body(public_url);
            body["type"] = offer.kind.into();
            body["slug"] = offer.slug.as_str().into();
            let created = self.send(Method::POST, &["api", "v1", "endpoints"], Some(&body)).await?;
            // Somebody with the same token was quicker.
            if created.status().as_u16() == 400 { self.update(offer, public_url).await? } else { created }
        } else {
            response
        };
        if !response.status().is_success() {
            return Err(self.failure(&doing, response).await);
        }
        let endpoint = self.json(response).await?;
        match endpoint.get("type").and_then(Value::as_str) {
            Some(kind) if kind != offer.kind => Err(HubError::Refused(format!(
                "{} exists already with the type {kind}, not {}; choose another slug or delete it first",
                offer.slug, offer.kind
            ))),
            _ => Ok(()),
        }
    }

    async fn update(&self, offer: &Offer, public_url: &Url) -> Result<Response, HubError> {
        let path = ["api", "v1", "endpoints", "slug", offer.slug.as_str()];
        self.send(Method::PATCH, &path, Some(&offer.body(public_url))).await
    }

    /// Tells the hub how the endpoints are; returns how many of them it does not know.
    pub(crate) async fn report(
        &self,
        slugs: &[Slug],
        healthy: bool,
        ttl: Duration,
        public_url: &Url,
        now: Timestamp,
    ) -> Result<u64, HubError> {
        let status = if healthy { "healthy" } else { "unhealthy" };
        let endpoints: Vec<Value> = slugs
            .iter()
            .map(|slug| json!({"slug": slug.as_str(), "status": status, "checked_at": now.to_rfc3339()}))
            .collect();
        let body = json!({
            "endpoints": endpoints,
            "ttl_seconds": ttl.as_secs().clamp(1, 1800),
            "url": public_url.as_str().trim_end_matches('/'),
        });
        let response = self.send(Method::POST, &["api", "v1", "endpoints", "health"], Some(&body)).await?;
        if !response.status().is_success() {
            return Err(self.failure("the health report", response).await);
        }
        Ok(self.json(response).await?.get("ignored").and_then(Value::as_u64).unwrap_or(0))
    }

    /// The hub's public keys.
    pub(crate) async fn jwks(&self) -> Result<Value, HubError> {
        let url = self.url(&[".well-known", "jwks.json"]);
        // No credential: the document is public.
        let response = self.client.get(url).send().await.map_err(|error| self.away(&error))?;
        let response = response.require_success().map_err(|error| self.away(&error))?;
        self.json(response).await
    }
}

impl Offer {
    fn body(&self, public_url: &Url) -> Value {
        json!({
            "name": self.name,
            "description": self.description,
            "visibility": self.visibility.as_str(),
            "readme": self.readme,
            "tags": self.tags,
            "connect": [{
                "type": "http",
                "enabled": true,
                "config": {"url": public_url.as_str().trim_end_matches('/')},
            }],
        })
    }
}

/// The issuer that stands in a token. The token comes straight from the hub, so its signature proves nothing more here.
fn issuer_of(token: &str) -> Option<String> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    claims.get("iss")?.as_str().map(str::to_owned)
}

/// The hub's own words: a text, `{message}`, or a list of fields.
fn detail(body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let text = match body.get("detail") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Object(object)) => {
            object.get("message").and_then(Value::as_str).unwrap_or_default().to_owned()
        }
        Some(Value::Array(fields)) => {
            let said = fields.iter().filter_map(|field| {
                let place = field.get("loc")?.as_array()?.last()?.as_str()?;
                Some(format!("{place}: {}", field.get("msg")?.as_str()?))
            });
            said.collect::<Vec<_>>().join("; ")
        }
        _ => "no reason given".to_owned(),
    };
    crate::text::clip(&text, MAX_DETAIL).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Fixed;

    #[test]
    fn the_hubs_own_words_are_shown() {
        assert_eq!(detail(r#"{"detail":"no"}"#), "no");
        assert_eq!(detail(r#"{"detail":{"code":"X","message":"never"}}"#), "never");
        let fields =
            r#"{"detail":[{"loc":["body","name"],"msg":"too long"},{"loc":["body","tags",0],"msg":"x"}]}"#;
        assert_eq!(detail(fields), "name: too long");
        assert_eq!(detail("<html>"), "no reason given");
    }

    #[test]
    fn the_hub_may_live_below_a_path() {
        let hub =
            Hub::new(Url::parse("https://x.org/hub/").unwrap(), Arc::new(Fixed(Secret::new("t")))).unwrap();
        assert_eq!(hub.url(&["api", "v1"]).as_str(), "https://x.org/hub/api/v1");
    }
}
