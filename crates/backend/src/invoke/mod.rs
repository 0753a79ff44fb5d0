//! Calling an endpoint through the hub: for callers that cannot reach it themselves.
//!
//! The caller's credential stays here. An endpoint that wants to know who asks is called with a satellite token,
//! directly or in a chat.

mod answer;
mod budget;
mod record;
pub(crate) mod routes;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use serde::Deserialize;
use serde::de::IgnoredAny;
use syfthub_auth::Principal;
use syfthub_domain::{EndpointType, Error, ErrorCode, Result, is_reserved_owner};
use syfthub_egress::{Client, Error as EgressError, Limits, Response as Answer};
use syfthub_store::endpoints::EndpointWithOwner;
use syfthub_web::RawJson;
use url::Url;

use crate::endpoints::connections::{self, Served};
use crate::endpoints::{Endpoints, mapper};
use crate::parts::Parts;
use crate::users::Users;
use answer::Passed;
use budget::{Budget, Held};
use record::Record;

/// Time for a data source.
const SOURCE_TIME: Duration = Duration::from_secs(30);
/// Time for everything else; a model may think. Also the time until the first byte of a stream.
const MODEL_TIME: Duration = Duration::from_mins(2);
/// Time for a whole stream, as long as the proxy in front gives it.
const STREAM_TIME: Duration = Duration::from_mins(5);
/// Time for the request to arrive and the answer to leave, on top of the model's.
const MARGIN: Duration = Duration::from_secs(35);
/// Time to resolve, connect and shake hands.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// Largest stream; other answers have [`answer::MAX_ANSWER`].
const MAX_STREAM: usize = 64 * 1024 * 1024;

const NO_JSON: &str = "Invalid JSON request body";
/// Which of several tenants behind one address is meant.
const TENANT: HeaderName = HeaderName::from_static("x-tenant-name");

/// The time that a request may take until the head of its answer, if it is a call of an endpoint.
pub(crate) fn time_for(method: &Method, path: &str) -> Option<Duration> {
    let mut segments = path.trim_matches('/').split('/');
    let owner = segments.next().filter(|owner| !owner.is_empty() && !is_reserved_owner(owner));
    let is_call = method == Method::POST && owner.is_some() && segments.count() == 1;
    is_call.then(|| MODEL_TIME.saturating_add(MARGIN))
}

/// A call that somebody makes.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) owner: String,
    pub(crate) slug: String,
    pub(crate) tenant: Option<HeaderValue>,
    /// The rest of it; the body is read once it is clear that there is somebody to call.
    pub(crate) request: Request,
}

/// Calls endpoints.
#[derive(Debug)]
pub(crate) struct Invoke {
    endpoints: Arc<Endpoints>,
    users: Arc<Users>,
    client: Client,
    budget: Budget,
}

/// Whom to call, and how.
#[derive(Debug)]
struct Target {
    url: Url,
    tenant: Option<HeaderValue>,
    time: Duration,
}

/// The one field of a body that the hub looks at.
#[derive(Debug, Deserialize)]
struct Wishes {
    #[serde(default)]
    stream: Option<bool>,
}

impl Invoke {
    /// Builds the feature.
    pub(crate) fn build(parts: &Parts, endpoints: Arc<Endpoints>, users: Arc<Users>) -> Result<Self> {
        let limits = Limits { connect: CONNECT_TIME, total: STREAM_TIME, max_body: MAX_STREAM };
        let client = Client::guarded(&parts.settings.egress, limits)?;
        Ok(Self { endpoints, users, client, budget: Budget::new(budget::FOR_BODIES) })
    }

    /// Calls an endpoint and gives its answer.
    pub(crate) async fn call(&self, viewer: Option<&Principal>, call: Call) -> Result<Response> {
        let item = self.find(viewer, &call.owner, &call.slug).await?;
        let mut target = target(&item)?;
        self.client.check_url(&target.url).map_err(Error::from)?;
        let (body, _booked) = self.read(call.request).await?;
        if serde_json::from_slice::<IgnoredAny>(&body).is_err() {
            return Err(bad(NO_JSON));
        }
        let wishes: Wishes = serde_json::from_slice(&body).unwrap_or(Wishes { stream: None });
        let wants_stream = wishes.stream == Some(true);
        target.tenant = call.tenant.or(target.tenant);
        let record = Record::begin(item.path(), viewer);
        let begun = record.begun;
        let made = match self.send(target, body, wants_stream).await {
            Ok((answer, time)) => {
                answer::pass_on(answer, wants_stream, begun, time, self.budget.open()).await
            }
            Err(error) => Err(error.into()),
        };
        match made {
            Err(error) => {
                let why = if error.source.is_some() { error.chain() } else { error.to_string() };
                record.end(None, Some(&why));
                Err(error)
            }
            Ok(Passed::Whole(response)) => {
                record.end(Some(response.status()), None);
                Ok(response)
            }
            Ok(Passed::Stream(head, answer)) => Ok(answer::streamed(head, answer, record)),
        }
    }

    /// What was sent, and its place in the budget for as long as the call goes on. A form is no JSON like any other text that
    /// is none.
    async fn read(&self, request: Request) -> Result<(Bytes, Held)> {
        let mut held = self.budget.open();
        match RawJson::read_booked(request, |bytes| held.take(bytes)).await {
            Ok(RawJson(bytes)) => Ok((bytes, held)),
            Err(error) if error.code == ErrorCode::UnsupportedMediaType => Err(bad(NO_JSON)),
            Err(error) => Err(error),
        }
    }

    /// The endpoint if the caller may use it: 404 for what is not there, 401 where signing in could help.
    async fn find(&self, viewer: Option<&Principal>, owner: &str, slug: &str) -> Result<EndpointWithOwner> {
        let not_found = |error: Error| match error.code.http_status() {
            404 => Error::not_found("Owner not found"),
            _ => error,
        };
        self.users.public(owner).await.map_err(not_found)?;
        if let Some(item) = self.endpoints.by_path(owner, slug, viewer).await? {
            return Ok(item);
        }
        if viewer.is_none() && self.endpoints.is_hidden(owner, slug).await? {
            return Err(Error::unauthenticated("Authentication required to access this endpoint"));
        }
        Err(Error::not_found("Endpoint not found"))
    }

    /// Sends the call and waits for the head of the answer. Gives also how long the body may take.
    async fn send(
        &self,
        target: Target,
        body: Bytes,
        wants_stream: bool,
    ) -> std::result::Result<(Answer, Duration), EgressError> {
        let mut request = self
            .client
            .post(target.url)
            .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(body);
        if wants_stream {
            request = request.header(
                header::ACCEPT,
                HeaderValue::from_static("text/event-stream, application/json;q=0.9, */*;q=0.1"),
            );
        }
        if let Some(tenant) = target.tenant {
            request = request.header(TENANT, tenant);
        }
        // The total is that of the longest stream: whether this becomes one is known from the head only.
        let head = tokio::time::timeout(target.time, request.send()).await;
        Ok((head.map_err(|_| EgressError::Timeout)??, target.time))
    }
}

/// Where the endpoint answers.
fn target(item: &EndpointWithOwner) -> Result<Target> {
    let owner = &item.owner_username;
    let connections = mapper::items(&item.endpoint.connect);
    let preferred = connections::preferred(connections);
    let served = preferred.map(|connection| connections::served(connection, item.owner_domain.as_deref()));
    let base = match served {
        Some(Served::At(base)) => base,
        Some(Served::Tunnel) => return Err(behind_tunnel()),
        None if item.owner_domain.is_some() => return Err(bad("Endpoint has no connections configured")),
        Some(Served::Nowhere) | None => {
            return Err(bad(&format!(
                "Owner '{owner}' has no domain configured; they set it in their profile or with a health report"
            )));
        }
    };
    let url = Url::parse(&base).ok().and_then(|mut url| {
        url.set_query(None);
        url.set_fragment(None);
        let slug = item.endpoint.slug.as_str();
        url.path_segments_mut().ok()?.pop_if_empty().extend(["api", "v1", "endpoints", slug, "query"]);
        Some(url)
    });
    let url = url.ok_or_else(|| bad("The address of the endpoint is not a valid URL"))?;
    let tenant = ["/config/tenant_name", "/config/tenantName"]
        .iter()
        .find_map(|path| preferred?.pointer(path)?.as_str())
        .and_then(|name| HeaderValue::from_str(name).ok());
    let time = if item.endpoint.kind == EndpointType::DataSource { SOURCE_TIME } else { MODEL_TIME };
    Ok(Target { url, tenant, time })
}

fn behind_tunnel() -> Error {
    bad(
        "This endpoint is behind a tunnel, which the hub does not call; use a client that speaks to the tunnel",
    )
}

fn bad(text: &str) -> Error {
    Error::new(ErrorCode::BadRequest, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_of_endpoints_get_more_time() {
        for (method, path, longer) in [
            (Method::POST, "/ada/notes", true),
            (Method::POST, "/ada/notes/", true),
            (Method::GET, "/ada/notes", false),
            (Method::POST, "/ada", false),
            (Method::POST, "/api/v1", false),
            (Method::POST, "/ada/notes/more", false),
        ] {
            assert_eq!(time_for(&method, path).is_some(), longer, "{method} {path}");
        }
    }
}
