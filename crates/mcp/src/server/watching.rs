//! Subscriptions of the present era: a client that listens is told when an endpoint or its health changes. All that is
//! remembered is in the open stream: it begins with what is so, looks again and again on the caller's credential, and
//! ends when that ends. A client that connects anew, to whichever replica, reads what it wants to know and listens on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rmcp::ErrorData;
use rmcp::model::SubscriptionFilter;
use rmcp::service::SubscriptionContext;
use syfthub_domain::{Error, ErrorCode, Result};
use syfthub_proto::directory::{Endpoint, ResolveEndpointsRequest};
use syfthub_rpc::{stubs, with_deadline};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::errors;
use crate::access::Caller;
use crate::tools::{Tools, endpoint, error_of};

/// Endpoints of one subscription, as `directory.v1` resolves them in one call.
const MAX_WATCHED: usize = 50;
/// Streams of this process that listen at the same time.
const MAX_STREAMS: usize = 500;
/// Time between two looks.
const LOOK: Duration = Duration::from_secs(15);
/// Longest life of a stream; its client connects anew.
const LIFE: Duration = Duration::from_hours(1);
const DEADLINE: Duration = Duration::from_secs(10);

/// Room for streams. A clone is the same room.
#[derive(Debug, Clone)]
pub(crate) struct Streams(Arc<Semaphore>);

impl Default for Streams {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_STREAMS)))
    }
}

/// What is watched of what a client asks for: endpoints. Lists are not announced.
pub(super) fn accepted(requested: &SubscriptionFilter) -> SubscriptionFilter {
    let asked = requested.resource_subscriptions.iter().flatten();
    let ours: Vec<&String> = asked.filter(|uri| endpoint::path_of(uri).is_some()).take(MAX_WATCHED).collect();
    if ours.is_empty() {
        return SubscriptionFilter::new();
    }
    SubscriptionFilter::builder().resource_subscriptions(ours).build()
}

/// What a change is seen by.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    updated_at_us: i64,
    health: String,
    archived: bool,
}

impl From<&Endpoint> for State {
    fn from(endpoint: &Endpoint) -> Self {
        Self {
            updated_at_us: endpoint.updated_at_us,
            health: endpoint.health_status.clone(),
            archived: endpoint.archived,
        }
    }
}

/// Listens until the client leaves or may not listen any more.
pub(super) async fn watch(
    streams: &Streams,
    tools: &Tools,
    caller: &Caller,
    context: &SubscriptionContext,
) -> std::result::Result<(), ErrorData> {
    let uris: Vec<&String> = context.accepted().resource_subscriptions.iter().flatten().collect();
    if uris.is_empty() {
        return Ok(());
    }
    let Ok(_room) = streams.0.try_acquire() else {
        return Err(ErrorData::new(
            errors::TOO_MANY,
            "Too many clients listen right now; try again later",
            None,
        ));
    };
    let began = Instant::now();
    let mut known = look(tools, caller, &uris).await.map_err(|error| errors::of(&error))?;
    while began.elapsed() < LIFE {
        tokio::select! {
            () = context.cancelled() => return Ok(()),
            () = tokio::time::sleep(LOOK) => {}
        }
        let seen = match look(tools, caller, &uris).await {
            Ok(seen) => seen,
            // The hub comes back; what changed meanwhile is seen then.
            Err(error) if matches!(error.code, ErrorCode::Unavailable | ErrorCode::UpstreamTimeout) => {
                continue;
            }
            Err(error) => {
                tracing::debug!(code = error.code.name(), "mcp.listen.ended");
                return Ok(());
            }
        };
        for uri in uris.iter().filter(|uri| known.get(uri.as_str()) != seen.get(uri.as_str())) {
            if context.sink().notify_resource_updated(uri.as_str()).await.is_err() {
                return Ok(());
            }
        }
        known = seen;
    }
    Ok(())
}

/// The present state of each endpoint that the caller may see.
async fn look(tools: &Tools, caller: &Caller, uris: &[&String]) -> Result<BTreeMap<String, State>> {
    let paths = uris.iter().filter_map(|uri| endpoint::path_of(uri)).map(|path| path.to_string()).collect();
    let request = ResolveEndpointsRequest { credential: caller.credential.expose().to_owned(), paths };
    let request = with_deadline(tonic::Request::new(request), DEADLINE);
    let found = stubs::directory_client(tools.hub.clone()).resolve_endpoints(request).await;
    let found: Vec<Endpoint> =
        found.map_err(|refused| -> Error { error_of(&refused) })?.into_inner().endpoints;
    let state_of = |uri: &str| {
        let path = endpoint::path_of(uri)?;
        let found = found.iter().find(|e| e.owner_username == path.owner && e.slug == path.slug)?;
        Some((uri.to_owned(), State::from(found)))
    };
    Ok(uris.iter().filter_map(|uri| state_of(uri)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_endpoints_are_watched() {
        let asked = SubscriptionFilter::builder()
            .tools_list_changed()
            .resource_subscriptions(["syfthub://bob/docs", "file:///etc/passwd", "syfthub://bob"])
            .build();
        let taken = accepted(&asked);
        assert_eq!(taken.resource_subscriptions, Some(vec!["syfthub://bob/docs".to_owned()]));
        assert_eq!(taken.tools_list_changed, None);
        let many = (0..60).map(|i| format!("syfthub://bob/d{i}"));
        let many = SubscriptionFilter::builder().resource_subscriptions(many).build();
        assert_eq!(accepted(&many).resource_subscriptions.map(|uris| uris.len()), Some(MAX_WATCHED));
        assert_eq!(accepted(&SubscriptionFilter::new()), SubscriptionFilter::new());
    }
}
