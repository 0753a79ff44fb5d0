//! The HTTP side: what an aggregator calls.

pub(crate) mod gate;
mod model;
mod source;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use serde_json::json;
use syfthub_domain::{Error, ErrorCode, Result, Slug};
use syfthub_web::stack::Stack;
use syfthub_web::{AccessLog, ApiResult, Bearer, TrustedProxies};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::index::Index;
use crate::model::Model;
use gate::Gate;
pub(crate) use wire::{Message, Usage};

/// Largest body of a question to the data source.
const SOURCE_BODY: usize = 1024 * 1024;
/// Largest body of a chat to the model; it carries documents.
const MODEL_BODY: usize = 4 * 1024 * 1024;
/// A body must arrive within this time.
const BODY_TIME: Duration = Duration::from_secs(20);
/// Questions to the data source at the same time.
const SOURCE_SLOTS: usize = 32;
/// Chats with the model at the same time.
const MODEL_SLOTS: usize = 16;
/// Time until the head of an answer.
const HEAD_TIME: Duration = Duration::from_secs(310);

/// What is served.
#[derive(Debug)]
pub(crate) struct Service {
    gate: Gate,
    source: Option<Served<Index>>,
    model: Option<Served<Model>>,
}

/// One endpoint with its share of the machine.
#[derive(Debug)]
struct Served<T> {
    slug: Slug,
    what: T,
    slots: Arc<Semaphore>,
}

impl<T> Served<T> {
    fn new(slug: Slug, what: T, slots: usize) -> Self {
        Self { slug, what, slots: Arc::new(Semaphore::new(slots)) }
    }

    /// A place to work in, or 503: waiting would only move the queue from the caller to here.
    fn slot(&self) -> Result<OwnedSemaphorePermit> {
        self.slots.clone().try_acquire_owned().map_err(|_| {
            Error::new(
                ErrorCode::Unavailable,
                "Too many requests are being answered right now; try again shortly",
            )
            .with_retry_after(Duration::from_secs(2))
        })
    }
}

impl Service {
    pub(crate) fn new(gate: Gate, source: Option<(Slug, Index)>, model: Option<(Slug, Model)>) -> Self {
        Self {
            gate,
            source: source.map(|(slug, index)| Served::new(slug, index, SOURCE_SLOTS)),
            model: model.map(|(slug, model)| Served::new(slug, model, MODEL_SLOTS)),
        }
    }
}

/// All routes with the layers that every service has.
pub(crate) fn router(service: Arc<Service>) -> Router {
    let routes = Router::new()
        .route("/api/v1/endpoints/{slug}/query", post(query))
        .route("/api/v1/health", get(health))
        .with_state(service);
    let stack = Stack {
        trusted_proxies: TrustedProxies::new(&[]),
        cors_origins: Vec::new(),
        open_paths: None,
        access_log: AccessLog::default(),
        body_limit: MODEL_BODY,
        request_timeout: HEAD_TIME,
        longer_requests: None,
    };
    stack.wrap(routes)
}

/// Says that the node answers and what it serves; open to everybody, since hubs probe it.
async fn health(State(service): State<Arc<Service>>) -> Json<serde_json::Value> {
    let source = service.source.as_ref().map(|source| source.slug.as_str());
    let model = service.model.as_ref().map(|model| model.slug.as_str());
    let endpoints: Vec<&str> = source.into_iter().chain(model).collect();
    Json(json!({"status": "healthy", "version": env!("CARGO_PKG_VERSION"), "endpoints": endpoints}))
}

/// A question to the data source, or a chat with the model, whichever has this slug.
async fn query(
    State(service): State<Arc<Service>>,
    Path(slug): Path<String>,
    bearer: Bearer,
    request: Request,
) -> ApiResult<Response> {
    service.gate.admit(bearer).await?;
    if let Some(source) = service.source.as_ref().filter(|source| source.slug.as_str() == slug) {
        let _slot = source.slot()?;
        let question = read(request, SOURCE_BODY).await?;
        return Ok(Json(source::answer(&source.what, question).await?).into_response());
    }
    if let Some(model) = service.model.as_ref().filter(|model| model.slug.as_str() == slug) {
        let slot = model.slot()?;
        let wants_events = accepts_events(&request);
        let chat = read(request, MODEL_BODY).await?;
        return Ok(model::answer(&model.what, chat, wants_events, slot).await?);
    }
    Err(Error::not_found("No endpoint of this name is served here").into())
}

fn accepts_events(request: &Request) -> bool {
    let accepted = request.headers().get_all(http::header::ACCEPT);
    accepted.iter().filter_map(|value| value.to_str().ok()).any(|value| value.contains("text/event-stream"))
}

async fn read<T: DeserializeOwned>(request: Request, limit: usize) -> Result<T> {
    let too_large =
        || Error::new(ErrorCode::PayloadTooLarge, format!("The request body is larger than {limit} bytes"));
    let announced = request.headers().get(http::header::CONTENT_LENGTH);
    let announced = announced.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let body = axum::body::to_bytes(request.into_body(), limit);
    let bytes = tokio::time::timeout(BODY_TIME, body)
        .await
        .map_err(|_| Error::new(ErrorCode::RequestTimeout, "The request body did not arrive in time"))?
        .map_err(|_| too_large())?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Error::new(ErrorCode::ValidationError, format!("The request body does not fit: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_arrive_is_given_up_in_time() {
        let beginning = futures::stream::iter([Ok::<_, std::io::Error>(bytes::Bytes::from_static(b"{"))]);
        let stalled = futures::StreamExt::chain(beginning, futures::stream::pending());
        let request = Request::new(axum::body::Body::from_stream(stalled));
        let began = tokio::time::Instant::now();
        let error = read::<serde_json::Value>(request, SOURCE_BODY).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::RequestTimeout);
        assert_eq!(began.elapsed(), BODY_TIME);
    }

    #[tokio::test]
    async fn a_full_endpoint_says_when_to_come_again() {
        let served = Served::new(Slug::parse("full").unwrap(), (), 1);
        let slot = served.slot().unwrap();
        let error = served.slot().unwrap_err();
        assert_eq!((error.code, error.retry_after), (ErrorCode::Unavailable, Some(Duration::from_secs(2))));
        drop(slot);
        assert!(served.slot().is_ok());
    }
}
