//! Who may use the MCP endpoint: bearers of an access token that the authorization server issued for it and whose
//! grant is live, and of the hub's own tokens where the operator allows these here.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Json, http};
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::json;
use syfthub_auth::at_jwt::{self, Claims};
use syfthub_auth::grant_ticket::{self, TicketKey};
use syfthub_config::{Rule, Secret};
use syfthub_domain::{Error, ErrorCode, Result, SharedClock, Timestamp};
use syfthub_logging::correlation::{self, CorrelationId};
use syfthub_proto::common::Principal;
use syfthub_proto::identity::VerifyCredentialRequest;
use syfthub_rpc::{Peer, status, stubs, with_deadline};
use syfthub_web::limits::RateLimiter;
use syfthub_web::{ApiError, Bearer, ClientIp, Fault, FaultFacts};
use uuid::Uuid;

use crate::oauth::{OAuth, Resource, Urls};

const DEADLINE: Duration = Duration::from_secs(10);
/// When to try again after the hub could not be asked.
const RETRY_AFTER_SECONDS: u64 = 5;
/// JSON-RPC's range for errors that an implementation defines.
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

/// What a client is told to ask for first; more is asked for when a tool needs it.
const FIRST_SCOPE: &str = "read";
/// Tickets of a grant change this often, so that the hub sees the same one again and remembers what it knows of it.
const TICKET_SECONDS: i64 = 60;

/// Verifies credentials at the backend, every time: backend remembers what it verified and forgets it the
/// moment a credential is revoked, which a second memory here could not.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    hub: Peer,
    oauth: OAuth,
    tickets: TicketKey,
    clock: SharedClock,
    accept_hub_tokens: bool,
    limits: Limits,
}

/// Why somebody does not get in.
enum Refusal {
    /// No credential was sent.
    Absent,
    /// One that is not good; the text says what to do.
    Wrong(&'static str),
    /// The hub refused or could not answer.
    Hub(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        if error.code == ErrorCode::Unauthenticated {
            return Self::Wrong(
                "The token is not good here, or what it was issued for was ended; sign in again",
            );
        }
        Self::Hub(error)
    }
}

impl Gate {
    pub(crate) fn new(
        hub: Peer,
        oauth: OAuth,
        tickets: TicketKey,
        clock: SharedClock,
        accept_hub_tokens: bool,
        limits: Limits,
    ) -> Self {
        Self { hub, oauth, tickets, clock, accept_hub_tokens, limits }
    }

    async fn caller(&self, client: ClientIp, bearer: Bearer) -> Result<Caller, Refusal> {
        self.limits.address(client).await?;
        let given = bearer.0.ok_or(Refusal::Absent)?;
        let (credential, granted) = if at_jwt::is_access_token(given.expose()) {
            let claims = self.claims(&given).await?;
            (self.ticket(&claims)?, Some(claims))
        } else if grant_ticket::is_ticket(given.expose()) {
            return Err(Refusal::Wrong("The token is not one of a client"));
        } else if self.accept_hub_tokens {
            (given, None)
        } else {
            return Err(Refusal::Wrong(
                "The token is not an OAuth access token for this endpoint; hub tokens are taken only with MCP_ACCEPT_HUB_TOKENS=true",
            ));
        };
        let Principal { user_id, username, mut scopes, .. } = self.verify(&credential).await?;
        self.limits.user(user_id).await?;
        if let Some(claims) = granted {
            // A token may allow less than its grant.
            scopes = claims.scopes().map(str::to_owned).collect();
        }
        Ok(Caller { username, credential, scopes, correlation: correlation::current() })
    }

    async fn claims(&self, token: &Secret) -> Result<Claims, Refusal> {
        let checked = self.oauth.verify(token.expose(), &[Resource::Mcp]).await.map_err(Refusal::Hub)?;
        let claims = checked.map_err(|error| {
            tracing::info!(%error, "mcp.token.refused");
            Refusal::Wrong("The access token is over, or was issued for something else; sign in again")
        })?;
        if claims.cnf.is_some() {
            return Err(Refusal::Wrong("Tokens that are bound to a key are not taken here"));
        }
        Ok(claims)
    }

    /// What stands for the grant's user towards the hub; see [`grant_ticket`].
    fn ticket(&self, claims: &Claims) -> Result<Secret, Refusal> {
        let grant =
            Uuid::parse_str(&claims.sid).map_err(|_| Refusal::Wrong("The access token names no grant"))?;
        let now = self.clock.now().as_secs();
        let now = Timestamp::from_secs(now - now.rem_euclid(TICKET_SECONDS));
        Ok(Secret::new(grant_ticket::mint(&self.tickets, grant, now)?))
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
        Err(Refusal::Absent) => unauthorized(gate.oauth.urls(), None),
        Err(Refusal::Wrong(text)) => unauthorized(gate.oauth.urls(), Some(text)),
        Err(Refusal::Hub(error)) => refusal(&error),
    }
}

/// 401 with the way to a token (RFC 6750, section 3; RFC 9728, section 5.1).
fn unauthorized(urls: &Urls, wrong: Option<&str>) -> Response {
    let text = wrong.unwrap_or("Sign in first: the document that WWW-Authenticate names says how");
    let body = json!({"error": "invalid_token", "error_description": text});
    let told = wrong.map(|text| format!("error=\"invalid_token\", error_description=\"{text}\", "));
    let (told, metadata) = (told.unwrap_or_default(), urls.metadata_of(Resource::Mcp));
    let challenge = format!("Bearer {told}resource_metadata=\"{metadata}\", scope=\"{FIRST_SCOPE}\"");
    let mut answer = (StatusCode::UNAUTHORIZED, Json(body)).into_response();
    if let Ok(challenge) = HeaderValue::from_str(&challenge) {
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    answer
}

/// A refusal in JSON-RPC's shape, which is what MCP clients show.
fn refusal(error: &Error) -> Response {
    let cannot = "The hub cannot check your token right now; try again shortly";
    let (status, code, message) = if error.code == ErrorCode::RateLimited {
        (StatusCode::TOO_MANY_REQUESTS, TOO_MANY, error.message.as_str())
    } else {
        tracing::warn!(code = error.code.name(), chain = error.chain(), "mcp.verify.failed");
        (StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE, cannot)
    };
    let body = json!({"jsonrpc": "2.0", "id": null, "error": {"code": code, "message": message}});
    let mut answer = (status, Json(body)).into_response();
    if status.is_server_error() {
        let facts = FaultFacts { code: error.code, message: error.message.clone(), chain: error.chain() };
        answer.extensions_mut().insert(Fault(Arc::new(facts)));
    }
    let seconds = error.retry_after.map_or(RETRY_AFTER_SECONDS, |after| after.as_secs().max(1));
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    answer
}
