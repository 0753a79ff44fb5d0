//! Devices without a browser (RFC 8628): a device shows a code, its person enters it on a page here and agrees, and
//! the device, which asks meanwhile, gets its tokens.

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde_json::{Map, json};
use syfthub_config::Secret;
use syfthub_domain::{ErrorCode, Result};
use syfthub_proto::oauth as wire;
use syfthub_web::ClientIp;
use uuid::Uuid;

use super::approval::{Person, failed, person};
use super::authorize::{resource, see_other};
use super::client_proof::prove;
use super::clients::Client;
use super::error::{OAuthError, OAuthResult};
use super::issuing::issue;
use super::key_proof::proven;
use super::metadata::DEVICE_CODE;
use super::pages::Told;
use super::params::Params;
use super::pending::{Mark, Pending, Pendings};
use super::registration::unkept;
use super::secrets::{self, DEVICE_PREFIX, REFRESH_PREFIX};
use super::token::{LONGEST, REFRESH_SECONDS};
use super::{OAuth, device_pages, pages, scopes};

/// How long a person has to enter the code, in seconds.
const LIFE_SECONDS: u32 = 600;
/// How long a device waits between two questions, in seconds.
const INTERVAL_SECONDS: u32 = 5;
/// Letters of a code: none is a vowel, so that no words come out (RFC 8628, section 6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Letters of one code; a hyphen stands in the middle when it is shown.
const LENGTH: usize = 8;
/// How often another code is made when one is taken.
const TRIES: usize = 5;
/// Longest name of a device.
const LONGEST_NAME: usize = 40;

/// Takes the request of a device (RFC 8628, section 3.1).
pub(super) async fn begin(
    State(oauth): State<OAuth>,
    from: ClientIp,
    headers: HeaderMap,
    body: Bytes,
) -> OAuthResult<Response> {
    oauth.0.limits.program(from).await?;
    let params = Params::parse(&body);
    let client = prove(&oauth, &headers, &params, from).await?;
    require_devices(&client)?;
    let resource = resource(&oauth, &params)?;
    let asked = params.one("scope")?.or(client.metadata.scope());
    let scopes = scopes::wanted(asked, resource)
        .ok_or_else(|| OAuthError::new("invalid_scope", "None of these scopes exists here"))?;
    let device_code = secrets::random(DEVICE_PREFIX);
    let request = wire::BeginDeviceRequest {
        device_code_hash: secrets::hash(device_code.expose()),
        client_id: client.id.clone(),
        client_name: name(&client, params.one("device_name")?),
        resource: oauth.urls().name_of(resource).to_owned(),
        scopes,
        dpop_jkt: proven(&oauth, &headers, "/oauth/device_authorization").await?,
        ttl_seconds: LIFE_SECONDS,
        interval_seconds: INTERVAL_SECONDS,
        ..wire::BeginDeviceRequest::default()
    };
    let code = shown(&store(&oauth, request).await?);
    tracing::info!(client_id = client.id, "oauth.device.begun");
    let page = oauth.urls().at("/oauth/device");
    let mut told = Map::new();
    told.insert("device_code".to_owned(), json!(device_code.expose()));
    told.insert("verification_uri_complete".to_owned(), json!(format!("{page}?user_code={code}")));
    told.insert("verification_uri".to_owned(), json!(page));
    told.insert("user_code".to_owned(), json!(code));
    told.insert("expires_in".to_owned(), json!(LIFE_SECONDS));
    told.insert("interval".to_owned(), json!(INTERVAL_SECONDS));
    Ok(unkept(StatusCode::OK, told))
}

/// What the person is shown: the name of the program, and that of the machine if it gave one.
fn name(client: &Client, machine: Option<&str>) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    let machine: String = machine.unwrap_or_default().chars().filter(plain).take(LONGEST_NAME).collect();
    match machine.trim() {
        "" => client.name(),
        machine => format!("{} on {machine}", client.name()),
    }
}

/// Stores a request under a code that no other waits under, and gives the code.
async fn store(oauth: &OAuth, mut request: wire::BeginDeviceRequest) -> Result<String> {
    let mut tries = 0;
    loop {
        request.user_code = new_code();
        tries += 1;
        match oauth.0.hub.begin_device(request.clone()).await {
            Ok(_) => return Ok(request.user_code),
            Err(error) if error.code == ErrorCode::Conflict && tries < TRIES => {}
            Err(error) => return Err(error),
        }
    }
}

fn require_devices(client: &Client) -> OAuthResult<()> {
    if client.metadata.exchanges(DEVICE_CODE) {
        return Ok(());
    }
    let text = format!("This client registered without the grant type {DEVICE_CODE}");
    Err(OAuthError::new("unauthorized_client", text))
}

fn new_code() -> String {
    let mut code = String::with_capacity(LENGTH);
    while code.len() < LENGTH {
        // What is above the last multiple of 20 would make some letters likelier.
        let bytes = rand::random::<[u8; 16]>().into_iter().filter(|byte| *byte < 240);
        let letters = bytes.filter_map(|byte| LETTERS.get(usize::from(byte) % LETTERS.len()));
        code.extend(letters.take(LENGTH - code.len()).map(|letter| char::from(*letter)));
    }
    code
}

/// A code as it is stored, out of what somebody typed: case, spaces and hyphens do not matter.
fn read_code(typed: &str) -> Option<String> {
    let typed = Some(typed).filter(|typed| typed.len() <= 64)?;
    let letters = typed.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '_' | '.'));
    let code: String = letters.map(|c| c.to_ascii_uppercase()).collect();
    (code.len() == LENGTH && code.bytes().all(|byte| LETTERS.contains(&byte))).then_some(code)
}

/// A code as it is read and typed.
fn shown(code: &str) -> String {
    let (first, second) = code.split_at_checked(LENGTH / 2).unwrap_or((code, ""));
    if second.is_empty() { first.to_owned() } else { format!("{first}-{second}") }
}

/// Answers a device that asks what became of its request (RFC 8628, section 3.4).
pub(super) async fn redeem(
    oauth: &OAuth,
    client: &Client,
    params: &Params,
    key: String,
) -> OAuthResult<Response> {
    require_devices(client)?;
    let code = params.one("device_code")?;
    let code = code.ok_or_else(|| OAuthError::invalid_request("device_code is missing"))?;
    let unknown = || {
        let text = "The device code is not known, or was exchanged before; ask for a new one";
        OAuthError::invalid_grant(text)
    };
    if !code.starts_with(DEVICE_PREFIX) || code.len() > LONGEST {
        return Err(unknown());
    }
    let refresh = client.metadata.refreshes().then(|| secrets::random(REFRESH_PREFIX));
    let request = wire::PollDeviceRequest {
        device_code_hash: secrets::hash(code),
        client_id: client.id.clone(),
        dpop_jkt: key.clone(),
        refresh_token_hash: refresh.as_ref().map(|token| secrets::hash(token.expose())).unwrap_or_default(),
        refresh_ttl_seconds: REFRESH_SECONDS,
    };
    let answer = oauth.0.hub.poll_device(request).await?;
    let (code, text) = match answer.state() {
        wire::DeviceState::Approved => return approved(oauth, answer.grant, key, refresh).await,
        wire::DeviceState::Pending => {
            ("authorization_pending", "Nobody has answered yet; ask again after the interval")
        }
        wire::DeviceState::SlowDown => {
            ("slow_down", "Asked too often; wait five seconds longer between questions from now on")
        }
        wire::DeviceState::Denied => ("access_denied", "The person did not agree"),
        wire::DeviceState::Expired => ("expired_token", "Nobody answered in time; ask for a new device code"),
        wire::DeviceState::Unknown | wire::DeviceState::Unspecified => return Err(unknown()),
    };
    Err(OAuthError::new(code, text))
}

async fn approved(
    oauth: &OAuth,
    grant: Option<wire::Grant>,
    key: String,
    refresh: Option<Secret>,
) -> OAuthResult<Response> {
    let grant = grant.ok_or_else(|| syfthub_domain::Error::internal("the hub gave no grant of a device"))?;
    let grant = wire::Grant { dpop_jkt: key, ..grant };
    tracing::info!(client_id = grant.client_id, grant = grant.id, "oauth.device.exchanged");
    issue(oauth, &grant, &grant.scopes, "", refresh).await
}

/// Shows where the code is entered. One that stands in the address is filled in and nothing more, so that a link
/// alone gives nobody anything.
pub(super) async fn page(
    State(oauth): State<OAuth>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let params = Params::parse(query.unwrap_or_default().as_bytes());
    let mark = Mark::of(&headers, &oauth.0.browser);
    let blank = Pending {
        id: Uuid::now_v7().to_string(),
        begun_at: oauth.0.clock.now().as_secs(),
        device: Some(String::new()),
        ..Pending::default()
    };
    let code = read_code(params.first("user_code")).map(|code| shown(&code)).unwrap_or_default();
    let pending = Pendings::bound(blank, &mark);
    let mut answer = device_pages::enter(&oauth, &pending, &code, None).await;
    if let Ok(cookie) = mark.to_cookie(&oauth.0.browser) {
        answer.headers_mut().append(header::SET_COOKIE, cookie);
    }
    answer
}

/// Takes the code that a person entered. Whether a device waits under it is told to those only who sign in.
pub(super) async fn enter(
    State(oauth): State<OAuth>,
    from: ClientIp,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let params = Params::parse(&body);
    let pending = match oauth.own_form(&headers, &params).await {
        Ok(pending) if pending.device.is_some() => pending,
        Ok(_) => return pages::over(&oauth).await,
        Err(answer) => return *answer,
    };
    let typed: String = params.first("user_code").chars().take(20).collect();
    if let Err(limited) = oauth.0.limits.typed(from).await {
        return device_pages::enter(&oauth, &pending, &typed, Some(&Told::wrong(&limited))).await;
    }
    let Some(code) = read_code(params.first("user_code")) else {
        let text = "A code has eight letters, such as BCDF-GHJK; enter it as the device shows it";
        let told = Told { text: text.to_owned(), status: StatusCode::UNPROCESSABLE_ENTITY, after: None };
        return device_pages::enter(&oauth, &pending, &typed, Some(&told)).await;
    };
    let pending = Pending { device: Some(code), ..pending };
    match pages::sealed(&oauth, &pending) {
        Some(sealed) => see_other(&format!("{}?request={sealed}", oauth.urls().page("/oauth/consent"))),
        None => pages::too_long(&oauth).await,
    }
}

/// Shows what a person has to do now for the code that they entered.
pub(super) async fn proceed(oauth: &OAuth, headers: &HeaderMap, pending: &Pending) -> Response {
    match person(oauth, headers).await {
        Ok(Some(person)) => confirm(oauth, pending, &person).await,
        Ok(None) => pages::sign_in(oauth, pending, &pages::Attempt::default()).await,
        Err(error) => failed(oauth, error).await,
    }
}

async fn confirm(oauth: &OAuth, pending: &Pending, person: &Person) -> Response {
    let code = pending.device.as_deref().unwrap_or_default();
    if code.is_empty() {
        return device_pages::enter(oauth, pending, "", None).await;
    }
    if let Err(limited) = oauth.0.limits.looked_up(person.user_id).await {
        return device_pages::enter(oauth, pending, &shown(code), Some(&Told::wrong(&limited))).await;
    }
    match oauth.0.hub.device(code).await {
        Ok(Some(device)) => device_pages::confirm(oauth, pending, &shown(code), &device, person).await,
        Ok(None) => {
            let text = "No device waits under this code; compare it with the one that your device shows, or begin again there";
            let told = Told { text: text.to_owned(), status: StatusCode::NOT_FOUND, after: None };
            device_pages::enter(oauth, pending, &shown(code), Some(&told)).await
        }
        Err(error) => failed(oauth, error).await,
    }
}

/// Takes the person's answer.
pub(super) async fn decide(
    oauth: &OAuth,
    from: ClientIp,
    headers: &HeaderMap,
    params: &Params,
    pending: &Pending,
) -> Response {
    let approve = params.first("decision") == "allow";
    let found = match person(oauth, headers).await {
        Ok(found) => found,
        Err(error) => return failed(oauth, error).await,
    };
    // Who leaves the page for signing in has said nothing about a device, which they may not even have been shown.
    let left = !approve && params.first("user").is_empty();
    let person = match found {
        _ if left => return see_other(&oauth.urls().page("/oauth/device/refused")),
        Some(person) if params.first("user") == person.user_id.to_string() => person,
        // Somebody else may have signed in with another tab since the page was shown.
        _ => return proceed(oauth, headers, pending).await,
    };
    let request = wire::DecideDeviceRequest {
        session: person.session.expose().to_owned(),
        user_code: pending.device.clone().unwrap_or_default(),
        approve,
        address: from.0.to_string(),
    };
    match oauth.0.hub.decide_device(request).await {
        Ok(_) => {
            let outcome = if approve { "allowed" } else { "refused" };
            see_other(&oauth.urls().page(&format!("/oauth/device/{outcome}")))
        }
        Err(error) if error.code == ErrorCode::Unauthenticated => {
            pages::sign_in(oauth, pending, &pages::Attempt::default()).await
        }
        Err(error) => failed(oauth, error).await,
    }
}

/// Says how it ended.
pub(super) async fn outcome(State(oauth): State<OAuth>, Path(outcome): Path<String>) -> Response {
    match outcome.as_str() {
        "allowed" => device_pages::done(&oauth, true).await,
        "refused" => device_pages::done(&oauth, false).await,
        _ => pages::error(&oauth, StatusCode::NOT_FOUND, "There is no such page").await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Covers: RFC8628-3.2-unique, RFC8628-6.1-charset
    #[test]
    fn codes_are_consonants_and_differ() {
        let codes: std::collections::BTreeSet<String> = (0..200).map(|_| new_code()).collect();
        assert_eq!(codes.len(), 200);
        for code in codes {
            assert_eq!(read_code(&code).as_ref(), Some(&code));
            assert_eq!(shown(&code).len(), LENGTH + 1);
        }
    }

    // Covers: RFC8628-6.1-charset
    #[test]
    fn a_code_is_read_however_it_is_typed() {
        for typed in ["WDJB-MJHT", "wdjbmjht", " wdjb mjht ", "WDJB_MJHT", "w.d.j.b-m j h t"] {
            assert_eq!(read_code(typed).as_deref(), Some("WDJBMJHT"), "{typed}");
        }
        for wrong in
            ["", "WDJB-MJH", "WDJB-MJHTT", "WDJB-MJHA", "WDJB-MJH1", "W\u{e4}JB-MJHT", &"B".repeat(65)]
        {
            assert_eq!(read_code(wrong), None, "{wrong}");
        }
    }
}
