//! Who may use the MCP endpoint: bearers of a hub token or a personal access token, for as long as the
//! hub accepts these here.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Json, http};
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::json;
use syfthub_config::{Rule, Secret};
use syfthub_domain::{Error, ErrorCode, Result};
use syfthub_logging::correlation::{self, CorrelationId};
use syfthub_proto::common::Principal;
use syfthub_proto::identity::VerifyCredentialRequest;
use syfthub_rpc::{Peer, status, stubs, with_deadline};
use syfthub_web::limits::RateLimiter;
use syfthub_web::{ApiError, Bearer, ClientIp, Fault, FaultFacts};

const DEADLINE: Duration = Duration::from_secs(10);
/// When to try again after the hub could not be asked.
const RETRY_AFTER_SECONDS: u64 = 5;
/// JSON-RPC's range for errors that an implementation defines.
const UNAUTHORIZED: i32 = -32001;
const UNAVAILABLE: i32 = -32002;
const TOO_MANY: i32 = -32003;
/// How many callers one address may stand for: assistants that run elsewhere share the addresses of their
/// operator, so the limit per address is this many times that of one user.
const USERS_PER_ADDRESS: u32 = 10;

/// The caller of a tool, put on the request for the handlers.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) username: String,
    /// What the services behind are shown in the caller's place.
    pub(crate) credential: Secret,
    /// What the credential allows: `read`, `write` or `full`, each spelled out.
    pub(crate) scopes: Vec<String>,
    pub(crate) correlation: Option<CorrelationId>,
}

/// Counts the requests of an address before its credential costs anything, and those of a user after.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) limiter: RateLimiter,
    /// What one user may ask.
    pub(crate) rule: Rule,
}

impl Limits {
    async fn address(&self, client: ClientIp) -> Result<()> {
        let max = self.rule.max.saturating_mul(USERS_PER_ADDRESS);
        self.check("mcp", &client.limit_bucket(), Rule { max, ..self.rule }).await
    }

    async fn user(&self, id: i64) -> Result<()> {
        self.check("mcp-user", &id.to_string(), self.rule).await
    }

    async fn check(&self, scope: &str, key: &str, rule: Rule) -> Result<()> {
        self.limiter.check(scope, key, rule).await.map_err(ApiError::into_error)
    }
}

/// Verifies credentials at the backend, every time: backend remembers what it verified and forgets it the
/// moment a credential is revoked, which a second memory here could not.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    hub: Peer,
    accept_hub_tokens: bool,
    limits: Limits,
}

impl Gate {
    pub(crate) fn new(hub: Peer, accept_hub_tokens: bool, limits: Limits) -> Self {
        Self { hub, accept_hub_tokens, limits }
    }

    async fn caller(&self, client: ClientIp, bearer: Bearer) -> Result<Caller> {
        self.limits.address(client).await?;
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
        self.limits.user(principal.user_id).await?;
        let Principal { username, scopes, .. } = principal;
        Ok(Caller { username, credential, scopes, correlation: correlation::current() })
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
pub(crate) async fn layer(
    State(gate): State<Gate>,
    client: ClientIp,
    mut request: Request,
    next: Next,
) -> Response {
    if request.method() == Method::OPTIONS {
        return next.run(request).await;
    }
    match gate.caller(client, Bearer::from_headers(request.headers())).await {
        Ok(caller) => {
            tracing::debug!(scopes = ?caller.scopes, "mcp.caller");
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error) => refusal(&error),
    }
}

/// A refusal in JSON-RPC's shape, which is what MCP clients show.
fn refusal(error: &Error) -> Response {
    let cannot = "The hub cannot check your token right now; try again shortly";
    let (status, code, message) = match error.code {
        ErrorCode::Unauthenticated => (StatusCode::UNAUTHORIZED, UNAUTHORIZED, error.message.as_str()),
        ErrorCode::RateLimited => (StatusCode::TOO_MANY_REQUESTS, TOO_MANY, error.message.as_str()),
        _ => {
            tracing::warn!(code = error.code.name(), chain = error.chain(), "mcp.verify.failed");
            (StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE, cannot)
        }
    };
    let body = json!({"jsonrpc": "2.0", "id": null, "error": {"code": code, "message": message}});
    let mut answer = (status, Json(body)).into_response();
    if status.is_server_error() {
        let facts = FaultFacts { code: error.code, message: error.message.clone(), chain: error.chain() };
        answer.extensions_mut().insert(Fault(Arc::new(facts)));
    }
    let headers = answer.headers_mut();
    if error.code == ErrorCode::Unauthenticated {
        let challenge = HeaderValue::from_static("Bearer realm=\"SyftHub MCP\"");
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    } else {
        let seconds = error.retry_after.map_or(RETRY_AFTER_SECONDS, |after| after.as_secs().max(1));
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}
