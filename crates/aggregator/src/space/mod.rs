//! The protocol of the services behind endpoints: `POST {url}/api/v1/endpoints/{slug}/query`, for sources
//! and models alike. Addresses come from callers, so every hop goes through the guarded client.

mod address;
mod breaker;
mod failure;
mod memory;
mod owners;
mod patience;

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, header};
use serde_json::Value;
use syfthub_config::{ChatRules, Secret};
use syfthub_egress::{Client, Response};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use url::Url;

pub use breaker::{BreakerReport, BreakerState};
pub(crate) use breaker::{Breakers, Failing};
use breaker::{Ticket, Verdict};
pub(crate) use failure::Failure;
pub(crate) use memory::Held;
use memory::Memory;
use owners::{Owners, Turn};
pub(crate) use patience::Others;
use patience::Patience;

use crate::chat::{EndpointRef, Tokens};
use crate::shape::{self, Shape};

/// Waits before the second and the third attempt.
pub(crate) const RETRY_WAITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];
/// Calls to data sources under way at once in this process; more wait for their turn.
const MAX_SOURCE_CALLS: usize = 512;
/// Calls to models under way at once in this process. A stream takes minutes and little else.
const MAX_MODEL_CALLS: usize = 8_192;
/// Most that answers may take at once in this process, in bytes.
const MAX_IN_HAND: usize = 256 * 1024 * 1024;
/// Most that is read of any answer, in bytes.
pub(crate) const MAX_ANSWER: usize = 8 * 1024 * 1024;
/// Waits for a turn that are shorter than this are none.
const NOTICEABLE: Duration = Duration::from_millis(1);
/// Most that is read of an error answer, in bytes.
const MAX_ERROR: usize = 64 * 1024;

/// What the caller wants back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accept {
    Json,
    EventStream,
}

/// An endpoint and the token that it may see.
#[derive(Debug)]
pub(crate) struct Target<'a> {
    endpoint: &'a EndpointRef,
    token: Option<&'a Secret>,
}

impl<'a> Target<'a> {
    /// The endpoint with its owner's token: a token is only ever shown to the owner whom it names.
    pub(crate) fn new(endpoint: &'a EndpointRef, tokens: &'a Tokens) -> Self {
        Self { endpoint, token: tokens.of(endpoint) }
    }
}

/// Calls endpoints.
#[derive(Debug)]
pub(crate) struct Space {
    client: Client,
    retry_waits: [Duration; 2],
    source_calls: Semaphore,
    model_calls: Semaphore,
    owners: Owners,
    breakers: Arc<Breakers>,
    patience: Patience,
    memory: Memory,
    quotes: bool,
}

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Waits for its owner's turn.
    Source,
    Model,
}

impl Space {
    pub(crate) fn new(client: Client, retry_waits: [Duration; 2], rules: &ChatRules) -> Self {
        Self {
            client,
            retry_waits,
            source_calls: Semaphore::new(MAX_SOURCE_CALLS),
            model_calls: Semaphore::new(MAX_MODEL_CALLS),
            owners: Owners::new(rules.calls_per_owner),
            breakers: Arc::new(Breakers::new(rules.breaker_failures, rules.breaker_pause)),
            patience: Patience::new(rules.straggler_wait),
            memory: Memory::new(MAX_IN_HAND),
            quotes: false,
        }
    }

    /// The same; with `quotes` the log repeats what endpoints say when they refuse.
    #[must_use]
    pub(crate) fn quoting(mut self, quotes: bool) -> Self {
        self.quotes = quotes;
        self
    }

    /// Whether the log may repeat what endpoints say.
    pub(crate) fn quotes(&self) -> bool {
        self.quotes
    }

    /// Endpoints that failed at their last call.
    pub(crate) fn breakers(&self) -> Vec<BreakerReport> {
        self.breakers.report()
    }

    /// The breakers, for those who tell of them.
    pub(crate) fn all_breakers(&self) -> Arc<Breakers> {
        Arc::clone(&self.breakers)
    }

    /// Asks a data source and reads the whole answer, at most `max` bytes of it. `timeout` bounds everything:
    /// waiting for a turn, repetitions, the body. When `others` have found something, it is waited for only as long
    /// as its own record justifies.
    pub(crate) async fn read(
        &self,
        target: &Target<'_>,
        body: &Value,
        (shape, max): (Shape, usize),
        timeout: Duration,
        others: &Others,
    ) -> Result<(Value, Held), Failure> {
        let url = address::query_url(target.endpoint)?;
        let ticket = self.breakers.admit(target.endpoint, &url)?;
        let patience = self.patience.of(ticket.key()).await.filter(|patience| *patience < timeout);
        let reading = async {
            self.send(Kind::Source, &url, target, body, Accept::Json, &ticket).await?.json(shape, max).await
        };
        let (result, waited) = tokio::select! {
            biased;
            result = tokio::time::timeout(timeout, reading) => (result.unwrap_or(Err(Failure::Timeout)), timeout),
            waited = overdue(patience, others) => (Err(Failure::Overdue { seconds: waited.as_secs_f64() }), waited),
        };
        let asked_for = ticket.asked_for();
        if result.is_ok() {
            self.patience.answered(ticket.key(), asked_for).await;
        }
        let verdict = |failure: &Failure| Verdict::of(failure, asked_for * 2 >= waited);
        ticket.tell(result.as_ref().err().map_or(Verdict::Alive, verdict));
        result
    }

    /// Asks a model. Statuses that may heal are tried again, at most twice; nothing else is.
    pub(crate) async fn query<'a>(
        &'a self,
        target: &Target<'_>,
        body: &Value,
        accept: Accept,
    ) -> Result<Reply<'a>, Failure> {
        let url = address::query_url(target.endpoint)?;
        let ticket = self.breakers.admit(target.endpoint, &url)?;
        let result = self.send(Kind::Model, &url, target, body, accept, &ticket).await;
        let verdict = |failure: &Failure| Verdict::of(failure, true);
        ticket.tell(result.as_ref().err().map_or(Verdict::Alive, verdict));
        result
    }

    /// Tells that a model said nothing until its caller's patience ended. Who talks for too long is not
    /// meant: that may be what was asked for.
    pub(crate) fn timed_out(&self, model: &EndpointRef) {
        let Ok(url) = address::query_url(model) else { return };
        if let Ok(ticket) = self.breakers.admit(model, &url) {
            ticket.tell(Verdict::Failing);
        }
    }

    async fn send<'a>(
        &'a self,
        kind: Kind,
        url: &Url,
        target: &Target<'_>,
        body: &Value,
        accept: Accept,
        ticket: &Ticket<'_>,
    ) -> Result<Reply<'a>, Failure> {
        let body = Bytes::from(body.to_string());
        let mut waits = self.retry_waits.iter();
        loop {
            let turn = self.turn(kind, target, url).await?;
            ticket.asking();
            match self.attempt(turn, url, target, body.clone(), accept).await {
                Err(failure) if failure.is_transient() => match waits.next() {
                    Some(wait) => tokio::time::sleep(*wait).await,
                    None => return Err(failure),
                },
                result => return result,
            }
        }
    }

    /// Waits until a call may be made: first for the owner, so that who waits for a slow owner takes
    /// nothing from the others.
    async fn turn<'a>(&'a self, kind: Kind, target: &Target<'_>, url: &Url) -> Result<Place<'a>, Failure> {
        let asked = Instant::now();
        let (owner, calls) = match kind {
            Kind::Source => {
                let owner = target.endpoint.owner_username.as_deref().unwrap_or_default();
                (Some(self.owners.turn(owner, &address::origin(url)).await?), &self.source_calls)
            }
            Kind::Model => (None, &self.model_calls),
        };
        let call = calls.acquire().await.map_err(|_| Failure::Timeout)?;
        let waited = asked.elapsed();
        if kind == Kind::Source && waited >= NOTICEABLE {
            metrics::histogram!("syfthub_data_source_turn_seconds").record(waited.as_secs_f64());
        }
        Ok(Place { _owner: owner, _call: call })
    }

    async fn attempt<'a>(
        &'a self,
        place: Place<'a>,
        url: &Url,
        target: &Target<'_>,
        body: Bytes,
        accept: Accept,
    ) -> Result<Reply<'a>, Failure> {
        let origin = address::origin(url);
        // The client adds the correlation id and the trace context by itself.
        let mut request = self
            .client
            .post(url.clone())
            .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if accept == Accept::EventStream {
            request = request.header(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
        }
        if let Some(token) = target.token {
            request = request.bearer(token);
        }
        if let Some(tenant) = &target.endpoint.tenant_name {
            let value = HeaderValue::from_str(tenant)
                .map_err(|_| Failure::BadReference("The tenant name is not usable"))?;
            request = request.header(HeaderName::from_static("x-tenant-name"), value);
        }
        let response =
            request.body(body).send().await.map_err(|error| Failure::from_egress(error, &origin))?;
        let status = response.status().as_u16();
        if status == 200 {
            return Ok(Reply { response, origin, held: self.memory.hold(), _place: place });
        }
        let wait =
            response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let body = response.excerpt(MAX_ERROR).await;
        Err(Failure::from_answer(status, wait, body.as_bytes()))
    }
}

/// Waits until a source is slower than its record justifies and others have found something; for ever when there is no
/// record.
async fn overdue(patience: Option<Duration>, others: &Others) -> Duration {
    let Some(patience) = patience else { return std::future::pending().await };
    tokio::time::sleep(patience).await;
    others.have_found().await;
    patience
}

/// Leave to have one call under way.
#[derive(Debug)]
struct Place<'a> {
    _owner: Option<Turn<'a>>,
    _call: SemaphorePermit<'a>,
}

/// An answer with status 200 whose body has not been read.
#[derive(Debug)]
pub(crate) struct Reply<'a> {
    response: Response,
    origin: String,
    held: Held,
    _place: Place<'a>,
}

impl Reply<'_> {
    /// Whether the endpoint streams.
    pub(crate) fn is_event_stream(&self) -> bool {
        self.response.media_type().as_deref() == Some("text/event-stream")
    }

    /// Keeps only what is needed to read a body that comes for minutes.
    pub(crate) fn read_on(&mut self) {
        self.response.forget_headers();
    }

    /// The whole body, at most `max` bytes of it, as JSON of a shape; with the memory that it takes.
    pub(crate) async fn json(mut self, shape: Shape, max: usize) -> Result<(Value, Held), Failure> {
        let mut body = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            let length = body.len() + chunk.len();
            if length > max {
                return Err(Failure::TooLarge);
            }
            // The texts in it are there twice while it is read.
            self.held.grow_to(length.saturating_mul(2))?;
            body.extend_from_slice(&chunk);
        }
        match shape::read(&body, shape) {
            Ok(json) => Ok((json, self.held)),
            Err(_) if failure::is_web_page(&body) => Err(Failure::WebPage { code: 200 }),
            Err(_) => Err(Failure::InvalidJson),
        }
    }

    /// Makes room for `bytes` of an answer that is read piece by piece.
    pub(crate) fn hold(&mut self, bytes: usize) -> Result<(), Failure> {
        self.held.grow_to(bytes)
    }

    /// The next piece of the body.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        self.response.chunk().await.map_err(|error| Failure::from_egress(error, &self.origin))
    }
}
