//! `/health`: always 200 while the process answers; what it depends on is told in the body.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use syfthub_domain::SharedClock;
use syfthub_proto::directory::ListEndpointsRequest;
use syfthub_rpc::{Peer, stubs, with_deadline};
use tonic::Code;

const DEADLINE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone)]
pub(crate) struct Health {
    hub: Peer,
    clock: SharedClock,
}

impl Health {
    pub(crate) fn new(hub: Peer, clock: SharedClock) -> Self {
        Self { hub, clock }
    }

    /// Whether the backend answers at all; a refusal is an answer.
    async fn hub(&self) -> &'static str {
        let question = ListEndpointsRequest { limit: 1, ..ListEndpointsRequest::default() };
        let request = with_deadline(tonic::Request::new(question), DEADLINE);
        match stubs::directory_client(self.hub.clone()).list_endpoints(request).await {
            Err(status) if matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded) => "unhealthy",
            _ => "healthy",
        }
    }
}

pub(crate) async fn route(State(health): State<Health>) -> Json<Value> {
    Json(json!({
        "status": "healthy",
        "service": "mcp-server",
        "timestamp": health.clock.now(),
        "dependencies": {"syfthub": health.hub().await},
    }))
}
