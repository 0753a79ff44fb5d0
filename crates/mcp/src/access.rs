//! Who may use the MCP endpoint: bearers of a hub token or a personal access token, for as long as the
//! hub accepts these here.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Json, http};
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::json;
use syfthub_config::Secret;
use syfthub_domain::{Error, ErrorCode, Result};
use syfthub_logging::correlation::{self, CorrelationId};
use syfthub_proto::common::Principal;
use syfthub_proto::identity::VerifyCredentialRequest;
use syfthub_rpc::{Peer, status, stubs, with_deadline};
use syfthub_web::Bearer;

const DEADLINE: Duration = Duration::from_secs(10);
/// JSON-RPC's range for errors that an implementation defines.
const UNAUTHORIZED: i32 = -32001;
const UNAVAILABLE: i32 = -32002;

/// The caller of a tool, put on the request for the handlers.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) username: String,
    pub(crate) credential: Secret,
    pub(crate) correlation: Option<CorrelationId>,
}

/// Verifies credentials at the backend, every time: backend remembers what it verified and forgets it the
/// moment a credential is revoked, which a second memory here could not.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    hub: Peer,
    accept_hub_tokens: bool,
}

impl Gate {
    pub(crate) fn new(hub: Peer, accept_hub_tokens: bool) -> Self {
        Self { hub, accept_hub_tokens }
    }

    async fn caller(&self, bearer: Bearer) -> Result<Caller> {
        if !self.accept_hub_tokens {
            return Err(Error::unauthenticated(
                "This hub does not take hub tokens at its MCP endpoint; its operator can allow them \
                 with MCP_ACCEPT_HUB_TOKENS=true",
            ));
        }
        let Some(credential) = bearer.0 else {
            return Err(Error::unauthenticated(
                "Send a personal access token of this hub: `Authorization: Bearer syft_pat_...`",
            ));
        };
        let principal = self.verify(&credential).await?;
        Ok(Caller { username: principal.username, credential, correlation: correlation::current() })
    }

    async fn verify(&self, credential: &Secret) -> Result<Principal> {
        let request = VerifyCredentialRequest { credential: credential.expose().to_owned() };
        let request = with_deadline(tonic::Request::new(request), DEADLINE);
        let answer = stubs::identity_client(self.hub.clone())
            .verify_credential(request)
            .await
            .map_err(|refused| status::from_status(&refused))?;
        answer.into_inner().principal.ok_or_else(|| Error::internal("the hub named no principal"))
    }
}

/// Layer: lets only known callers through to MCP.
pub(crate) async fn layer(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    if request.method() == Method::OPTIONS {
        return next.run(request).await;
    }
    match gate.caller(Bearer::from_headers(request.headers())).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error) => refusal(&error),
    }
}

/// A refusal in JSON-RPC's shape, which is what MCP clients show.
fn refusal(error: &Error) -> Response {
    let refused = error.code == ErrorCode::Unauthenticated;
    let (status, code) = if refused {
        (StatusCode::UNAUTHORIZED, UNAUTHORIZED)
    } else {
        tracing::warn!(code = error.code.name(), chain = error.chain(), "mcp.verify.failed");
        (StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE)
    };
    let cannot = "The hub cannot check your token right now; try again shortly";
    let message = if refused { error.message.as_str() } else { cannot };
    let body = json!({"jsonrpc": "2.0", "id": null, "error": {"code": code, "message": message}});
    let mut answer = (status, Json(body)).into_response();
    let headers = answer.headers_mut();
    if refused {
        let challenge = HeaderValue::from_static("Bearer realm=\"SyftHub MCP\"");
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    } else {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    answer
}
