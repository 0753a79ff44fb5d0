//! Clients whose id is the address of a document about them (OAuth Client ID Metadata Document).

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use syfthub_cache::Cache;
use syfthub_config::Rule;
use syfthub_domain::Result;
use syfthub_egress::Client as Egress;
use syfthub_web::limits::RateLimiter;
use syfthub_web::{ApiError, ClientIp};
use url::Url;

use super::clients::{Client, LONGEST_ID};
use super::metadata::Metadata;

/// Longest that a document may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// Largest document, in bytes.
pub(crate) const LARGEST: usize = 64 * 1024;
/// How long a document is kept that does not say it, at least, and at most.
const USUAL: Duration = Duration::from_mins(15);
const LEAST: Duration = Duration::from_mins(1);
const MOST: Duration = Duration::from_hours(24);

/// What is kept of a good document; one that is missing or wrong is looked for again.
#[derive(Serialize, Deserialize)]
struct Kept(String);

/// Fetches and keeps documents.
#[derive(Debug)]
pub(crate) struct Documents {
    egress: Egress,
    cache: Cache,
    limiter: RateLimiter,
    rule: Rule,
}

/// Whether an id is an address rather than a name that this hub gave.
pub(crate) fn is_address(id: &str) -> bool {
    id.starts_with("https://") || id.starts_with("http://")
}

/// The host that vouches for a client, if its id is an address.
pub(crate) fn host_of(id: &str) -> Option<String> {
    let url = Some(id).filter(|id| is_address(id)).and_then(|id| Url::parse(id).ok())?;
    url.host_str().map(str::to_owned)
}

impl Documents {
    pub(crate) fn new(egress: Egress, cache: Cache, limiter: RateLimiter, rule: Rule) -> Self {
        Self { egress, cache, limiter, rule }
    }

    /// The client that the document at `id` describes, or in words why there is none.
    pub(crate) async fn client(
        &self,
        id: &str,
        asks: ClientIp,
    ) -> Result<std::result::Result<Client, String>> {
        let Some(url) = address(id) else {
            let text = "An address as client id needs https, a path, and neither user, fragment nor dots as segments";
            return Ok(Err(text.to_owned()));
        };
        let key = format!("oauth-document:{}", hex::encode(Sha256::digest(id.as_bytes())));
        // A cache that is down costs a fetch, no sign-in.
        let kept: Option<Kept> = self.cache.get_json(&key).await.unwrap_or_default();
        let json = if let Some(Kept(json)) = kept {
            json
        } else {
            let limited = self.limiter.check("oauth-document", &asks.limit_bucket(), self.rule).await;
            limited.map_err(ApiError::into_error)?;
            let (kept, time) = match self.fetch(id, &url).await {
                Ok((metadata, time)) => (Kept(metadata.to_json()), time),
                Err(why) => return Ok(Err(why)),
            };
            if let Err(error) = self.cache.put_json(&key, &kept, time).await {
                tracing::debug!(%error, "oauth.document.not_kept");
            }
            kept.0
        };
        let host = url.host_str().unwrap_or_default().to_owned();
        Ok(Metadata::stored(&json)
            .map(|metadata| Client::published(id.to_owned(), host, metadata))
            .ok_or_else(|| "The document of this client cannot be read".to_owned()))
    }

    async fn fetch(&self, id: &str, url: &Url) -> std::result::Result<(Metadata, Duration), String> {
        let unreadable = |error: syfthub_egress::Error| {
            tracing::info!(%error, "oauth.document.failed");
            "The document of this client could not be fetched from the address that is its id".to_owned()
        };
        let accept = HeaderValue::from_static("application/json");
        let request = self.egress.get(url.clone()).header(header::ACCEPT, accept);
        let answer = request.send().await.map_err(unreadable)?;
        if answer.status().as_u16() != 200 {
            return Err("The address that is the id of this client has no document (it must answer 200, without a redirect)".to_owned());
        }
        let kind = answer.media_type().unwrap_or_default();
        if kind != "application/json" && !kind.ends_with("+json") {
            return Err("The document of this client is not JSON".to_owned());
        }
        let time = freshness(answer.headers());
        let document: Value = answer.json_capped(LARGEST).await.map_err(unreadable)?;
        Ok((read(id, &document)?, time))
    }
}

/// What a document says, if it is about this client and such a client can be.
fn read(id: &str, document: &Value) -> std::result::Result<Metadata, String> {
    if document.get("client_id").and_then(Value::as_str) != Some(id) {
        return Err("The document of this client names another client_id".to_owned());
    }
    if document.get("client_secret").is_some() {
        return Err("The document of this client has a secret in it, which everybody can read".to_owned());
    }
    let metadata = Metadata::accept(document, "none")
        .map_err(|(_, why)| format!("The document of this client is refused: {why}"))?;
    if metadata.secret_method() {
        return Err("The document of this client asks for a secret, which nobody gave it".to_owned());
    }
    if metadata.name().is_none() {
        return Err("The document of this client has no client_name".to_owned());
    }
    Ok(metadata)
}

/// An id that can be an address: TLS, a path that means what it says, nothing else.
fn address(id: &str) -> Option<Url> {
    let url = Url::parse(id).ok().filter(|url| url.scheme() == "https" && id.len() <= LONGEST_ID)?;
    let plain = url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    // `Url` takes dots out of a path: an id is compared as it is written, so it has to be written plainly.
    (plain && url.path() != "/" && url.as_str() == id).then_some(url)
}

/// How long an answer may be kept (RFC 9111), within bounds.
fn freshness(headers: &HeaderMap) -> Duration {
    let directives = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let directives: Vec<String> =
        directives.flat_map(|line| line.split(',')).map(|word| word.trim().to_ascii_lowercase()).collect();
    if directives.iter().any(|word| word == "no-store" || word == "no-cache") {
        return LEAST;
    }
    let age = directives.iter().find_map(|word| word.strip_prefix("max-age=")?.parse().ok());
    age.map_or(USUAL, |seconds| Duration::from_secs(seconds).clamp(LEAST, MOST))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_are_plain_addresses_with_tls_and_a_path() {
        for good in ["https://claude.ai/oauth/claude-code-client-metadata", "https://a.example/c.json?v=1"] {
            assert!(address(good).is_some(), "{good}");
        }
        for bad in [
            "http://a.example/c",
            "https://a.example",
            "https://a.example/",
            "https://a.example/x/../c",
            "https://a.example/c#x",
            "https://user@a.example/c",
            "https://A.example/c",
            "client_x",
        ] {
            assert!(address(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_document_is_about_its_own_address_and_has_no_secret() {
        let id = "https://a.example/c";
        let good =
            json!({"client_id": id, "client_name": "A", "redirect_uris": ["http://localhost/callback"]});
        assert!(read(id, &good).is_ok());
        for (key, value) in [
            ("client_id", json!("https://b.example/c")),
            ("client_secret", json!("x")),
            ("client_name", json!("")),
            ("redirect_uris", json!(["http://a.example/cb"])),
            ("token_endpoint_auth_method", json!("client_secret_basic")),
        ] {
            let mut bad = good.clone();
            bad[key] = value;
            assert!(read(id, &bad).is_err(), "{bad}");
        }
    }

    // Covers: CIMD-5.2-cache
    #[test]
    fn documents_are_kept_as_they_say_within_bounds() {
        let of = |text: &'static str| {
            freshness(&HeaderMap::from_iter([(header::CACHE_CONTROL, HeaderValue::from_static(text))]))
        };
        assert_eq!(of("public, max-age=600"), Duration::from_mins(10));
        assert_eq!(of("max-age=1"), LEAST);
        assert_eq!(of("Max-Age=99999999"), MOST);
        assert_eq!(of("no-store"), LEAST);
        assert_eq!(of("public"), USUAL);
    }
}
