//! Chat: one question, answered from the documents of many owners.
//!
//! [`Chat::ask`] is the whole rule; `routes` and `grpc` only translate its events.

mod answering;
mod ask;
pub(crate) mod event;
mod found;
pub(crate) mod grpc;
mod outlet;
mod pipeline;
mod place;
pub(crate) mod request;
pub(crate) mod routes;
mod speed;
mod stage;
mod titles;
mod tokens;
mod watch;
pub(crate) mod wire;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use answering::ModelRefusal;
pub(crate) use ask::{Ask, Connection, EndpointRef, Sampling, Turns};
use event::{Event, Failed};
use futures::{FutureExt, Stream};
use outlet::Outlet;
use pipeline::Run;
use syfthub_config::{Aggregator, Secret};
use syfthub_domain::fault::{FaultReport, FaultSink};
use syfthub_domain::{Error, ErrorCode, SharedClock};
use syfthub_logging::correlation;
use syfthub_proto::identity::{VerifyBoundTokenRequest, VerifyCredentialRequest};
use syfthub_rpc::{Peer, linked_stream, status, stubs, with_deadline};
use tokens::SatelliteTokens;
pub(crate) use tokens::Tokens;
use watch::Watch;

use crate::app::Pace;
use crate::conversations::Keeper;
use crate::rerank::External;
use crate::space::{BreakerReport, Space};
use crate::standing::{Reporter, Standings};
use crate::usage::Recorder;

const TARGET: &str = "syfthub.aggregator.chat";
/// Events that wait for a slow reader before the work pauses.
const QUEUE: usize = 64;
/// Longest wait for the hub to verify a credential.
const VERIFY_DEADLINE: Duration = Duration::from_secs(5);

/// Whether the answer is delivered in pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Piece by piece, with heartbeats before the first one.
    Streamed,
    /// Only the end matters.
    Whole,
}

impl Delivery {
    /// Its name in logs and as a label.
    const fn name(self) -> &'static str {
        match self {
            Self::Streamed => "stream",
            Self::Whole => "whole",
        }
    }
}

/// The chat rules with what they need.
#[derive(Debug)]
pub(crate) struct Chat {
    hub: Peer,
    space: Space,
    tokens: SatelliteTokens,
    usage: Recorder,
    standings: Standings,
    reporter: Reporter,
    keeper: Keeper,
    settings: Aggregator,
    heartbeat: Duration,
    patience: Duration,
    faults: Option<FaultSink>,
    reranker: Option<External>,
}

impl Chat {
    pub(crate) fn new(
        hub: Peer,
        space: Space,
        clock: SharedClock,
        settings: Aggregator,
        pace: &Pace,
    ) -> Self {
        let keeper = Keeper::new(hub.clone());
        let usage = Recorder::new(hub.clone(), clock.clone());
        let tokens = SatelliteTokens::new(hub.clone(), clock);
        let standings = Standings::new(hub.clone());
        let reporter = Reporter::new(hub.clone(), space.all_breakers());
        let (heartbeat, patience) = (pace.heartbeat, pace.patience);
        Self {
            hub,
            space,
            tokens,
            usage,
            standings,
            reporter,
            keeper,
            settings,
            heartbeat,
            patience,
            faults: None,
            reranker: None,
        }
    }

    /// The same, telling `faults` of streams that end with one: their status was sent before.
    #[must_use]
    pub(crate) fn reporting(mut self, faults: FaultSink) -> Self {
        self.faults = Some(faults);
        self
    }

    /// The same, asking `reranker` for the order of documents.
    #[must_use]
    pub(crate) fn reranking_by(mut self, reranker: Option<External>) -> Self {
        self.reranker = reranker;
        self
    }

    /// Adds to conversations.
    pub(crate) fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    /// Tells the hub what was used.
    pub(crate) fn usage(&self) -> &Recorder {
        &self.usage
    }

    /// Tells the hub which endpoints are left alone.
    pub(crate) fn reporter(&self) -> &Reporter {
        &self.reporter
    }

    /// The backend, for those who resolve what a question names.
    pub(crate) fn hub(&self) -> &Peer {
        &self.hub
    }

    /// The limits of questions.
    pub(crate) fn settings(&self) -> &Aggregator {
        &self.settings
    }

    /// Works on a question. The work is tied to the returned stream: dropping it ends every call that
    /// is under way. The last event is `Done` or `Failed`, whatever happens.
    pub(crate) fn ask(
        self: &Arc<Self>,
        ask: Ask,
        delivery: Delivery,
    ) -> impl Stream<Item = Event> + Send + Unpin + use<> {
        let chat = Arc::clone(self);
        let watch = Watch::begin(&ask, delivery, self.space.quotes());
        chat.reporter.start();
        linked_stream(QUEUE, move |events| async move {
            let limit = chat.settings.total_timeout;
            let mut outlet = Outlet::new(events, chat.patience).keeping(chat.keeper.begin(&ask));
            let mut run = Run::new(&chat, &ask, delivery, &outlet, &watch);
            let outcome = AssertUnwindSafe(tokio::time::timeout(limit, run.execute())).catch_unwind().await;
            let result = match outcome {
                Ok(Ok(result)) => result,
                Ok(Err(_)) => Err(took_too_long(limit)),
                Err(_) => Err(Error::internal("the chat pipeline panicked")),
            };
            let mut last = match result {
                Ok(answer) => Event::Done(Box::new(answer)),
                Err(error) => Event::Failed(Box::new(Failed { error, billing: run.take_billing() })),
            };
            outlet.keep(&mut last).await;
            watch.end(&last);
            if delivery == Delivery::Streamed {
                chat.report(&last);
            }
            outlet.last(last).await;
        })
    }

    /// Endpoints that failed at their last call.
    pub(crate) fn breakers(&self) -> Vec<BreakerReport> {
        self.space.breakers()
    }

    fn report(&self, last: &Event) {
        let (Some(faults), Event::Failed(failed)) = (&self.faults, last) else { return };
        let id = correlation::current().map(|id| id.as_str().to_owned()).unwrap_or_default();
        if let Some(report) = FaultReport::of(&failed.error, id, "STREAM", "/api/v1/chat/stream") {
            faults.take(report);
        }
    }

    /// What stands for a token that is bound to a key, once its proof was shown.
    pub(crate) async fn prove(&self, request: VerifyBoundTokenRequest) -> Result<Secret, Error> {
        let request = with_deadline(tonic::Request::new(request), VERIFY_DEADLINE);
        let answer = stubs::identity_client(self.hub.clone()).verify_bound_token(request).await;
        let answer = answer.map_err(|refusal| status::from_status(&refusal))?;
        Ok(Secret::new(answer.into_inner().ticket))
    }

    /// Refuses guests when the operator closed the service to them.
    pub(crate) async fn admit(&self, credential: Option<&Secret>) -> Result<(), Error> {
        if !self.settings.require_auth {
            return Ok(());
        }
        let Some(credential) = credential.filter(|credential| !credential.is_empty()) else {
            return Err(Error::unauthenticated(
                "Authentication required: send a hub token or a personal access token",
            ));
        };
        let request = VerifyCredentialRequest { credential: credential.expose().to_owned() };
        let request = with_deadline(tonic::Request::new(request), VERIFY_DEADLINE);
        let answer = stubs::identity_client(self.hub.clone()).verify_credential(request).await;
        answer.map(|_| ()).map_err(|refusal| status::from_status(&refusal))
    }
}

fn took_too_long(limit: Duration) -> Error {
    let text = format!("The request took longer than {} seconds", limit.as_secs());
    Error::new(ErrorCode::GenerationFailed, text).with_source(Overdue(limit.as_secs()))
}

/// What the log says of such a request.
#[derive(Debug, thiserror::Error)]
#[error("the whole request took longer than {0} seconds")]
struct Overdue(u64);

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
