//! The authorization endpoint (RFC 6749, section 4.1.1): checks a request and shows the first page for it.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, json};
use syfthub_proto::oauth as wire;
use syfthub_web::ClientIp;
use uuid::Uuid;

use super::approval;
use super::client_proof::prove;
use super::clients::Client;
use super::error::{OAuthError, OAuthResult};
use super::key_proof::{agreed, named, proven};
use super::params::Params;
use super::pending::{Mark, PUSHED_SECONDS, Pending, Pendings};
use super::registration::unkept;
use super::urls::Resource;
use super::{OAuth, pages, redirects, scopes};

/// Longest `state` and `nonce`: a request has to fit into an address.
const LONGEST_STATE: usize = 2048;
const LONGEST_NONCE: usize = 512;

/// Start of the name of a pushed request (RFC 9126, section 2.2).
const PUSHED_PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

/// Takes a request from its client before a browser comes with it (RFC 9126).
pub(super) async fn push(
    State(oauth): State<OAuth>,
    from: ClientIp,
    headers: HeaderMap,
    body: Bytes,
) -> OAuthResult<Response> {
    oauth.0.limits.program(from).await?;
    let params = Params::parse(&body);
    let client = prove(&oauth, &headers, &params, from).await?;
    if params.one("request_uri")?.is_some() {
        return Err(OAuthError::invalid_request("request_uri cannot be pushed"));
    }
    let named = params.one("redirect_uri")?;
    let redirect_uri = named.or(only(client.metadata.redirect_uris())).unwrap_or_default();
    if !client.redirects_to(redirect_uri) {
        return Err(OAuthError::invalid_request("redirect_uri is none that this client registered"));
    }
    let mut pending = wanted(&oauth, &params, &client, redirect_uri)?;
    pending.key = agreed(pending.key, proven(&oauth, &headers, "/oauth/par").await?)?;
    let long = || OAuthError::invalid_request("The request is too long; use a shorter state or redirect_uri");
    let pushed = oauth.0.pendings.push(&pending)?.ok_or_else(long)?;
    let mut told = Map::new();
    told.insert("request_uri".to_owned(), json!(format!("{PUSHED_PREFIX}{pushed}")));
    told.insert("expires_in".to_owned(), json!(PUSHED_SECONDS));
    Ok(unkept(StatusCode::CREATED, told))
}

/// Why a request goes no further.
#[derive(Debug)]
enum Refusal {
    /// Told to the person: nobody knows where the browser could safely be sent.
    Page(StatusCode, String),
    /// Told to the client.
    Back { client_id: String, redirect_uri: String, state: Option<String>, code: &'static str, text: String },
}

/// Checks a request and shows a page for it, or sends the browser back at once.
pub(super) async fn authorize(
    State(oauth): State<OAuth>,
    from: ClientIp,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let params = Params::parse(query.unwrap_or_default().as_bytes());
    match read(&oauth, &params, from).await {
        Ok(pending) => {
            let mark = Mark::of(&headers, &oauth.0.browser);
            let session = oauth.0.browser.read(&headers);
            let pending = Pendings::begun_with(Pendings::bound(pending, &mark), session.as_ref());
            let mut answer = approval::proceed(&oauth, from, &headers, &pending).await;
            if let Ok(cookie) = mark.to_cookie(&oauth.0.browser) {
                answer.headers_mut().append(header::SET_COOKIE, cookie);
            }
            answer
        }
        Err(Refusal::Page(status, text)) => pages::error(&oauth, status, &text).await,
        Err(Refusal::Back { client_id, redirect_uri, state, code, text }) => {
            let back = address_of_refusal(&oauth, &redirect_uri, state.as_deref(), code, &text);
            let silent = params.first("prompt") == "none";
            if silent || redirects::is_local(&redirect_uri) || known(&oauth, &headers, &client_id).await {
                return see_other(&back);
            }
            pages::astray(&oauth, &back, &text).await
        }
    }
}

/// Whether whoever looks let this client in before. Anybody can register an address and send people there through a
/// wrong request, so others are asked first (RFC 9700, section 4.11.2).
async fn known(oauth: &OAuth, headers: &HeaderMap, client_id: &str) -> bool {
    let Ok(Some(person)) = approval::person(oauth, headers).await else { return false };
    for resource in [Resource::Mcp, Resource::Api] {
        let question = wire::FindConsentRequest {
            user_id: person.user_id,
            client_id: client_id.to_owned(),
            resource: oauth.urls().name_of(resource).to_owned(),
        };
        // A hub that cannot say is asked again with the next request.
        if oauth.0.hub.find_consent(question).await.is_ok_and(|consent| !consent.scopes.is_empty()) {
            return true;
        }
    }
    false
}

/// The same by a form (OpenID Connect Core 1.0, section 3.1.2.1). Cookies do not come with a form of another site, so
/// the browser is made to ask again.
pub(super) async fn by_post(State(oauth): State<OAuth>, body: Bytes) -> Response {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(url::form_urlencoded::parse(&body));
    see_other(&format!("{}?{}", oauth.urls().page("/oauth/authorize"), query.finish()))
}

/// Sends the browser back to the client with an error.
pub(super) fn refused(
    oauth: &OAuth,
    redirect_uri: &str,
    state: Option<&str>,
    code: &str,
    text: &str,
) -> Response {
    see_other(&address_of_refusal(oauth, redirect_uri, state, code, text))
}

fn address_of_refusal(
    oauth: &OAuth,
    redirect_uri: &str,
    state: Option<&str>,
    code: &str,
    text: &str,
) -> String {
    let mut told = vec![("error", code), ("error_description", text)];
    told.extend(state.map(|state| ("state", state)));
    told.push(("iss", oauth.urls().issuer()));
    redirects::with(redirect_uri, &told)
}

/// A redirect that nobody keeps, and after which a form is not sent again.
pub(super) fn see_other(to: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(to) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response(); // not reached: addresses are visible ASCII
    };
    let headers = [
        (header::LOCATION, location),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// The checks in their order: first whatever decides where the browser may be sent, then the rest.
async fn read(oauth: &OAuth, params: &Params, from: ClientIp) -> Result<Pending, Refusal> {
    let page = |text: &str| Refusal::Page(StatusCode::BAD_REQUEST, text.to_owned());
    if let Err(limited) = oauth.0.limits.program(from).await {
        return Err(Refusal::Page(StatusCode::TOO_MANY_REQUESTS, limited.description().to_owned()));
    }
    let id = params.one("client_id").map_err(|_| page("The request names its program more than once"))?;
    let id = id.ok_or_else(|| page("The request does not say which program it is from (client_id)"))?;
    let found = oauth.0.clients.find(id, from).await.map_err(|error| unavailable(&error))?;
    let client = found.map_err(|why| page(&why))?;
    if let Some(text) = params.first("request_uri").strip_prefix(PUSHED_PREFIX) {
        let text = oauth.0.pendings.pushed(text, &client.id);
        let over =
            "This request is over, or another program pushed it; go back to the program and begin again";
        return text.filter(|pending| client.redirects_to(&pending.redirect_uri)).ok_or_else(|| page(over));
    }
    let named = params.one("redirect_uri");
    let named = named.map_err(|_| page("The request names more than one address to come back to"))?;
    let redirect_uri = match (named, only(client.metadata.redirect_uris())) {
        (Some(uri), _) | (None, Some(uri)) => uri.to_owned(),
        (None, None) => return Err(page("The request does not say where to come back to (redirect_uri)")),
    };
    if !client.redirects_to(&redirect_uri) {
        let text = "The address to come back to (redirect_uri) is none that this program registered";
        return Err(page(text));
    }
    let state = params.one("state").ok().flatten().filter(|state| state.len() <= LONGEST_STATE);
    let back = |error: OAuthError| Refusal::Back {
        client_id: client.id.clone(),
        redirect_uri: redirect_uri.clone(),
        state: state.map(str::to_owned),
        code: error.code(),
        text: error.description().to_owned(),
    };
    wanted(oauth, params, &client, &redirect_uri).map_err(back)
}

fn unavailable(error: &syfthub_domain::Error) -> Refusal {
    tracing::error!(chain = error.chain(), "oauth.authorize.failed");
    let text = "The hub cannot answer right now; go back to the program and try again shortly";
    Refusal::Page(StatusCode::SERVICE_UNAVAILABLE, text.to_owned())
}

fn only<'u>(mut uris: impl Iterator<Item = &'u str>) -> Option<&'u str> {
    match (uris.next(), uris.next()) {
        (Some(uri), None) => Some(uri),
        _ => None,
    }
}

/// Everything that the client is told about when it is wrong.
fn wanted(
    oauth: &OAuth,
    params: &Params,
    client: &Client,
    redirect_uri: &str,
) -> Result<Pending, OAuthError> {
    let bad = OAuthError::invalid_request;
    let state = params.one("state")?;
    if state.is_some_and(|state| state.len() > LONGEST_STATE) {
        return Err(bad("state is longer than 2048 characters"));
    }
    for (name, code) in [
        ("request", "request_not_supported"),
        ("request_uri", "request_uri_not_supported"),
        ("registration", "registration_not_supported"),
    ] {
        if params.one(name)?.is_some() {
            return Err(OAuthError::new(code, format!("{name} is not supported by this server")));
        }
    }
    match params.one("response_type")? {
        Some("code") => {}
        None => return Err(bad("response_type is missing; use code")),
        Some(_) => return Err(OAuthError::new("unsupported_response_type", "response_type must be code")),
    }
    if params.one("response_mode")?.is_some_and(|mode| mode != "query") {
        return Err(bad("response_mode must be query"));
    }
    let challenge = challenge(params)?;
    let resource = resource(oauth, params)?;
    let asked = params.one("scope")?.or(client.metadata.scope());
    let scopes = scopes::wanted(asked, resource)
        .ok_or_else(|| OAuthError::new("invalid_scope", "None of these scopes exists here"))?;
    let nonce = params.one("nonce")?;
    if nonce.is_some_and(|nonce| nonce.len() > LONGEST_NONCE) {
        return Err(bad("nonce is longer than 512 characters"));
    }
    let prompt = Prompt::read(params.one("prompt")?)?;
    let max_age = params.one("max_age")?.map(str::parse::<u32>).transpose();
    let max_age = max_age.map_err(|_| bad("max_age must be a number of seconds"))?;
    // No sign-in of before is young enough then.
    let login = prompt.login || max_age == Some(0);
    Ok(Pending {
        id: Uuid::now_v7().to_string(),
        client_id: client.id.clone(),
        client_name: client.name(),
        vouched_by: client.vouched_by.clone(),
        redirect_uri: redirect_uri.to_owned(),
        resource: oauth.urls().name_of(resource).to_owned(),
        scopes,
        state: state.map(str::to_owned),
        challenge,
        nonce: nonce.map(str::to_owned),
        key: named(params.one("dpop_jkt")?)?,
        sign_in_again: login,
        session: String::new(),
        ask_again: prompt.consent,
        silent: prompt.none,
        max_age: max_age.map(i64::from),
        begun_at: oauth.0.clock.now().as_secs(),
        browser: String::new(),
        device: None,
    })
}

/// RFC 7636, by SHA-256 only: without it, whoever sees a code could exchange it.
fn challenge(params: &Params) -> Result<String, OAuthError> {
    let bad = OAuthError::invalid_request;
    let challenge = params.one("code_challenge")?;
    let challenge = challenge.ok_or_else(|| bad("code_challenge is missing; this server requires PKCE"))?;
    if params.one("code_challenge_method")? != Some("S256") {
        return Err(bad("code_challenge_method must be S256"));
    }
    let plain = challenge.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if !plain || !(43..=128).contains(&challenge.len()) {
        return Err(bad("code_challenge must be 43 to 128 characters of base64url"));
    }
    Ok(challenge.to_owned())
}

/// RFC 8707; without one the MCP endpoint is meant. A token is for one resource.
pub(super) fn resource(oauth: &OAuth, params: &Params) -> Result<Resource, OAuthError> {
    let wrong = || {
        let text = format!("resource must be {} ", oauth.urls().name_of(Resource::Mcp));
        OAuthError::new("invalid_target", format!("{text}or {}", oauth.urls().name_of(Resource::Api)))
    };
    let mut named = params.all("resource").filter(|given| !given.is_empty());
    let Some(first) = named.next() else { return Ok(Resource::Mcp) };
    let resource = oauth.urls().resource(first).ok_or_else(wrong)?;
    if named.all(|other| oauth.urls().resource(other) == Some(resource)) {
        return Ok(resource);
    }
    Err(OAuthError::new("invalid_target", "A token is for one resource; ask for each of them"))
}

/// What the person has to be shown (OpenID Connect Core 1.0, section 3.1.2.1).
#[derive(Debug, Default)]
struct Prompt {
    none: bool,
    login: bool,
    consent: bool,
}

impl Prompt {
    fn read(given: Option<&str>) -> Result<Self, OAuthError> {
        let mut prompt = Self::default();
        for word in given.unwrap_or_default().split(' ').filter(|word| !word.is_empty()) {
            match word {
                "none" => prompt.none = true,
                "login" => prompt.login = true,
                // The page that asks also lets another account be chosen.
                "consent" | "select_account" => prompt.consent = true,
                _ => return Err(OAuthError::invalid_request("prompt has a word that does not exist")),
            }
        }
        if prompt.none && (prompt.login || prompt.consent) {
            return Err(OAuthError::invalid_request("prompt=none cannot be combined"));
        }
        Ok(prompt)
    }
}
