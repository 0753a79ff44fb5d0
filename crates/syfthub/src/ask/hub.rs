//! The hub as a client sees it.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use futures::Stream;
use futures::future::join_all;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use sse_stream::{Sse, SseStream};
use syfthub_config::Secret;
use syfthub_domain::EndpointPath;
use syfthub_egress::{Client, Error, Limits, Response};
use url::Url;

use crate::terminal;

/// An answer that is larger is not from a hub.
const LARGEST_ANSWER: usize = 8 * 1024 * 1024;
/// As many published endpoints as are looked at to find a model and sources.
const LISTED: usize = 100;

/// A published endpoint, as far as a question needs it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Endpoint {
    /// The owner's username.
    #[serde(rename = "owner_username")]
    pub(crate) owner: String,
    slug: String,
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    health_status: Option<String>,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    connect: Vec<Connection>,
}

#[derive(Debug, Clone, Deserialize)]
struct Connection {
    #[serde(default = "yes")]
    enabled: bool,
    #[serde(default)]
    config: Value,
}

fn yes() -> bool {
    true
}

impl Endpoint {
    /// `owner/slug`.
    pub(crate) fn path(&self) -> String {
        format!("{}/{}", self.owner, self.slug)
    }

    /// Whether it generates text.
    pub(crate) fn is_model(&self) -> bool {
        matches!(self.kind.as_str(), "model" | "model_data_source")
    }

    /// Whether it returns documents.
    pub(crate) fn is_source(&self) -> bool {
        matches!(self.kind.as_str(), "data_source" | "model_data_source")
    }

    /// Whether it makes sense to ask it without being told to.
    pub(crate) fn usable(&self) -> bool {
        !self.archived && self.health_status.as_deref() != Some("unhealthy") && self.connection().is_some()
    }

    fn connection(&self) -> Option<&Connection> {
        self.connect.iter().find(|connection| connection.enabled && connection.text("url").is_some())
    }

    /// The form in which the aggregator wants it.
    pub(crate) fn reference(&self) -> Value {
        let text = |key: &str| self.connection().and_then(|connection| connection.text(key));
        json!({
            "url": text("url").unwrap_or_default(),
            "slug": self.slug,
            "name": self.name,
            "tenant_name": text("tenant_name"),
            "owner_username": self.owner,
        })
    }
}

impl Connection {
    fn text(&self, key: &str) -> Option<&str> {
        self.config.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
    }
}

/// Calls one hub, as a guest or with an access token.
#[derive(Debug)]
pub(crate) struct HubClient {
    client: Client,
    base: Url,
    token: Option<Secret>,
}

impl HubClient {
    /// The hub at `base`; nothing is called yet.
    pub(crate) fn new(base: Url, token: Option<Secret>) -> anyhow::Result<Self> {
        Ok(Self { client: Client::operator(Limits::default())?, base, token })
    }

    /// Makes sure that a hub is there.
    pub(crate) async fn check(&self) -> anyhow::Result<()> {
        let address = self.base.as_str().trim_end_matches('/');
        let response = self.get("health", &[]).await.with_context(|| {
            format!("no hub answers at {address}: start one with `make run`, or name another one with --hub")
        })?;
        let health: Value = response.json_capped(LARGEST_ANSWER).await.unwrap_or(Value::Null);
        if health.get("status").is_none() {
            bail!("what answers at {address} is not a hub: name the right address with --hub");
        }
        Ok(())
    }

    /// Reads what is at a path of the API, which may have a query.
    pub(crate) async fn read<T: serde::de::DeserializeOwned>(&self, route: &str) -> anyhow::Result<T> {
        read(self.get(route, &[]).await?).await
    }

    /// Changes something; gives the answer if there is one.
    pub(crate) async fn change<T: serde::de::DeserializeOwned>(
        &self,
        method: Method,
        route: &str,
    ) -> anyhow::Result<Option<T>> {
        let response = self.request(method, route, &[])?.send().await?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(None);
        }
        read(response).await.map(Some)
    }

    /// One endpoint by `owner/slug`.
    pub(crate) async fn find(&self, path: &str) -> anyhow::Result<Endpoint> {
        let Some(parsed) = EndpointPath::parse(path) else {
            bail!("`{path}` is not an endpoint: write owner/slug");
        };
        let route = format!("api/v1/endpoints/public/{}/{}", parsed.owner, parsed.slug);
        let response = self.get(&route, &[]).await?;
        if response.status() == StatusCode::NOT_FOUND {
            bail!("there is no endpoint {parsed} on this hub, or you may not see it");
        }
        read(response).await
    }

    /// What everybody may use.
    pub(crate) async fn published(&self) -> anyhow::Result<Vec<Endpoint>> {
        let limit = LISTED.to_string();
        read(self.get("api/v1/endpoints/public", &[("limit", limit.as_str())]).await?).await
    }

    /// A satellite token for each owner. One that cannot be had is left out: the endpoint says why.
    pub(crate) async fn satellite_tokens(&self, owners: &[&str]) -> anyhow::Result<BTreeMap<String, String>> {
        let route = if self.token.is_some() { "api/v1/token" } else { "api/v1/token/guest" };
        let fetches = owners.iter().map(|owner| async move {
            let answer: Value = read(self.get(route, &[("aud", *owner)]).await?).await?;
            let token =
                answer.get("target_token").and_then(Value::as_str).context("no token in the answer")?;
            Ok::<_, anyhow::Error>(((*owner).to_owned(), token.to_owned()))
        });
        Ok(join_all(fetches).await.into_iter().filter_map(Result::ok).collect())
    }

    /// Opens the stream of an answer.
    pub(crate) async fn stream(
        &self,
        request: &Value,
    ) -> anyhow::Result<impl Stream<Item = Result<Sse, sse_stream::Error>> + use<>> {
        let response = self
            .request(Method::POST, "aggregator/api/v1/chat/stream", &[])?
            .header(header::ACCEPT, HeaderValue::from_static("text/event-stream"))
            .json(request)
            .send()
            .await?;
        if !response.status().is_success() {
            bail!("the hub refused the question: {}", reason(response).await);
        }
        Ok(SseStream::from_bytes_stream(response.into_stream()))
    }

    async fn get(&self, route: &str, query: &[(&str, &str)]) -> anyhow::Result<Response> {
        let json = HeaderValue::from_static("application/json");
        Ok(self.request(Method::GET, route, query)?.header(header::ACCEPT, json).send().await?)
    }

    fn request(
        &self,
        method: Method,
        route: &str,
        query: &[(&str, &str)],
    ) -> anyhow::Result<syfthub_egress::Request> {
        let mut url: Url = format!("{}/{route}", self.base.as_str().trim_end_matches('/')).parse()?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let agent = HeaderValue::from_static(concat!("syfthub/", env!("CARGO_PKG_VERSION")));
        let request = self.client.request(method, url).header(HeaderName::from_static("user-agent"), agent);
        Ok(match &self.token {
            Some(token) => request.bearer(token),
            None => request,
        })
    }
}

/// A refusal, in the hub's own words.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    message: String,
}

async fn read<T: serde::de::DeserializeOwned>(response: Response) -> anyhow::Result<T> {
    let status = response.status();
    if !status.is_success() {
        return Err(Refused { status, message: reason(response).await }.into());
    }
    response
        .json_capped(LARGEST_ANSWER)
        .await
        .map_err(|error: Error| anyhow::anyhow!("the hub's answer: {error}"))
}

/// The hub's own words for a refusal.
async fn reason(response: Response) -> String {
    let status = response.status();
    let body: Value = response.json_capped(LARGEST_ANSWER).await.unwrap_or(Value::Null);
    match body.get("message").and_then(Value::as_str) {
        Some(message) => terminal::harmless(message),
        None => format!("HTTP {status}"),
    }
}
