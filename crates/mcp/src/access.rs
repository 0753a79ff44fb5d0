//! Who may use the MCP endpoint: bearers of an access token that the authorization server issued for it and whose
//! grant is live, and of the hub's own tokens where the operator allows these here.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Json, http};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::json;
use syfthub_auth::at_jwt::{self, Claims};
use syfthub_auth::dpop::ProofError;
use syfthub_auth::grant_ticket::{self, TicketKey};
use syfthub_config::{Rule, Secret};
use syfthub_domain::{Error, ErrorCode, Result, SharedClock, Timestamp};
use syfthub_logging::correlation::{self, CorrelationId};
use syfthub_proto::common::Principal;
use syfthub_proto::identity::VerifyCredentialRequest;
use syfthub_rpc::{Peer, status, stubs, with_deadline};
use syfthub_web::dpop::{self, Bound};
use syfthub_web::limits::RateLimiter;
use syfthub_web::{ApiError, Bearer, ClientIp, Fault, FaultFacts};
use uuid::Uuid;

use crate::oauth::{OAuth, Resource, Shown, Urls};

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
    /// A token that is bound to a key, without a good proof of it.
    Unproven(ProofError),
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

    async fn caller(&self, client: ClientIp, request: &Parts) -> Result<Caller, Refusal> {
        self.limits.address(client).await?;
        if let Some(Bound(token)) = Bound::from_headers(&request.headers) {
            let claims = self.proven(request, &token).await?;
            return self.known(self.ticket(&claims)?, Some(claims)).await;
        }
        let given = Bearer::from_headers(&request.headers).0.ok_or(Refusal::Absent)?;
        let (credential, granted) = if at_jwt::is_access_token(given.expose()) {
            let claims = self.claims(&given).await?;
            if claims.cnf.is_some() {
                return Err(Refusal::Wrong(
                    "The token is bound to a key; send it as Authorization: DPoP, with a DPoP header",
                ));
            }
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
        self.known(credential, granted).await
    }

    async fn known(&self, credential: Secret, granted: Option<Claims>) -> Result<Caller, Refusal> {
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
        Ok(claims)
    }

    /// What a token says that is bound to a key, which this request proves (RFC 9449, section 7).
    async fn proven(&self, request: &Parts, token: &Secret) -> Result<Claims, Refusal> {
        let claims = self.claims(token).await?;
        let Some(key) = &claims.cnf else {
            return Err(Refusal::Wrong("The token is bound to no key; send it as Authorization: Bearer"));
        };
        let name = self.oauth.urls().name_of(Resource::Mcp);
        let addresses = [name.to_owned(), format!("{name}/"), format!("{name}/mcp")];
        let shown = Shown { method: &request.method, headers: &request.headers, addresses: &addresses };
        self.oauth.proves(shown, token, key).await.map_err(Refusal::Unproven)?;
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
    request: Request,
    next: Next,
) -> Response {
    if request.method() == Method::OPTIONS {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let is_bound = Bound::from_headers(&parts.headers).is_some();
    match gate.caller(client, &parts).await {
        Ok(caller) => {
            tracing::debug!(scopes = ?caller.scopes, "mcp.caller");
            parts.extensions.insert(caller);
            let answer = next.run(Request::from_parts(parts, body)).await;
            if is_bound { in_its_scheme(answer) } else { answer }
        }
        Err(Refusal::Absent) => unauthorized(gate.oauth.urls(), false, None),
        Err(Refusal::Wrong(text)) => {
            unauthorized(gate.oauth.urls(), is_bound, Some(("invalid_token", text.to_owned())))
        }
        Err(Refusal::Unproven(error)) => {
            let told = ("invalid_dpop_proof", Error::from(error).message);
            unauthorized(gate.oauth.urls(), true, Some(told))
        }
        Err(Refusal::Hub(error)) => refusal(&error),
    }
}

/// A challenge of the layers inside, which ask bearers, for somebody who proves a key.
fn in_its_scheme(mut answer: Response) -> Response {
    let challenge = answer.headers().get(header::WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
    let bound = challenge.and_then(|text| text.strip_prefix("Bearer ")).map(dpop::challenge);
    if let Some(bound) = bound.and_then(|text| HeaderValue::from_str(&text).ok()) {
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, bound);
    }
    answer
}

/// 401 with the way to a token (RFC 6750, section 3; RFC 9728, section 5.1; RFC 9449, section 7.1). Whoever did not show
/// a token that is bound to a key is asked for a bearer's first.
fn unauthorized(urls: &Urls, is_bound: bool, wrong: Option<(&str, String)>) -> Response {
    let metadata = urls.metadata_of(Resource::Mcp);
    let whence = format!("resource_metadata=\"{metadata}\", scope=\"{FIRST_SCOPE}\"");
    let told = wrong.as_ref().map(|(code, text)| format!("error=\"{code}\", error_description=\"{text}\", "));
    let told = format!("{}{whence}", told.unwrap_or_default());
    let challenges = if is_bound {
        vec![dpop::challenge(&told)]
    } else {
        vec![format!("Bearer {told}"), dpop::challenge("")]
    };
    let first = || "Sign in first: the document that WWW-Authenticate names says how".to_owned();
    let (code, text) = wrong.unwrap_or_else(|| ("invalid_token", first()));
    let body = json!({"error": code, "error_description": text});
    let mut answer = (StatusCode::UNAUTHORIZED, Json(body)).into_response();
    for challenge in challenges {
        if let Ok(challenge) = HeaderValue::from_str(&challenge) {
            answer.headers_mut().append(header::WWW_AUTHENTICATE, challenge);
        }
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
