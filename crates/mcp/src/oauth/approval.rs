//! From a checked request to a code: who is there, whether they have to be asked, and what follows when they agree.

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use syfthub_config::Secret;
use syfthub_domain::{Error, ErrorCode, Result};
use syfthub_proto::oauth as wire;
use syfthub_web::ClientIp;

use super::authorize::{refused, see_other};
use super::pending::Pending;
use super::{OAuth, device, pages, redirects, secrets};

/// Life of a code, in seconds.
const CODE_SECONDS: u32 = 60;

/// Who is signed in with this browser.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) session: Secret,
    pub(super) user_id: i64,
    pub(super) username: String,
    pub(super) full_name: String,
    signed_in_at: i64,
}

/// What comes next for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    SignIn,
    Ask,
    Agree,
    Refuse(&'static str),
}

/// Whoever this browser's session belongs to.
pub(super) async fn person(oauth: &OAuth, headers: &HeaderMap) -> Result<Option<Person>> {
    let Some(session) = oauth.0.browser.read(headers) else { return Ok(None) };
    let found = oauth.0.hub.browser_session(session.expose()).await?;
    Ok(found.and_then(|found| {
        let principal = found.principal?;
        Some(Person {
            session,
            user_id: principal.user_id,
            username: principal.username,
            full_name: principal.full_name,
            signed_in_at: found.signed_in_at,
        })
    }))
}

/// Shows the page that a request needs now, or sends the browser back with a code.
pub(super) async fn proceed(
    oauth: &OAuth,
    from: ClientIp,
    headers: &HeaderMap,
    pending: &Pending,
) -> Response {
    if pending.device.is_some() {
        return device::proceed(oauth, headers, pending).await;
    }
    match advance(oauth, from, headers, pending).await {
        Ok(answer) => answer,
        Err(error) => failed(oauth, error).await,
    }
}

async fn advance(oauth: &OAuth, from: ClientIp, headers: &HeaderMap, pending: &Pending) -> Result<Response> {
    let person = person(oauth, headers).await?;
    let consented = match &person {
        Some(person) => consented(oauth, person, pending).await?,
        None => Vec::new(),
    };
    let now = oauth.0.clock.now().as_secs();
    let signed_in_at = person
        .as_ref()
        .map(|person| if pending.was_begun_with(&person.session) { i64::MIN } else { person.signed_in_at });
    match (step(pending, signed_in_at, now, &consented), person) {
        (Step::Refuse(code), _) => Ok(refuse(oauth, pending, code)),
        (Step::Agree, Some(person)) => agree(oauth, from, pending, &person).await,
        (Step::Ask, Some(person)) => Ok(pages::consent(oauth, pending, &person).await),
        _ => Ok(pages::sign_in(oauth, pending, &pages::Attempt::default()).await),
    }
}

async fn consented(oauth: &OAuth, person: &Person, pending: &Pending) -> Result<Vec<String>> {
    let question = wire::FindConsentRequest {
        user_id: person.user_id,
        client_id: pending.client_id.clone(),
        resource: pending.resource.clone(),
    };
    Ok(oauth.0.hub.find_consent(question).await?.scopes)
}

fn step(pending: &Pending, signed_in_at: Option<i64>, now: i64, consented: &[String]) -> Step {
    let sign_in = if pending.silent { Step::Refuse("login_required") } else { Step::SignIn };
    let Some(at) = signed_in_at else { return sign_in };
    let too_old = pending.max_age.is_some_and(|most| now.saturating_sub(at) > most);
    if (pending.sign_in_again || too_old) && at < pending.begun_at {
        return sign_in;
    }
    // Any program on a machine can wait where another one is sent back to, so agreement is never assumed there
    // (RFC 8252, section 8.6).
    let known = !redirects::is_local(&pending.redirect_uri);
    let known = known && pending.scopes.iter().all(|scope| consented.contains(scope));
    match (known && !pending.ask_again, pending.silent) {
        (true, _) => Step::Agree,
        (false, true) => Step::Refuse("consent_required"),
        (false, false) => Step::Ask,
    }
}

/// Tells the client that its request was refused.
pub(super) fn refuse(oauth: &OAuth, pending: &Pending, code: &str) -> Response {
    let text = match code {
        "login_required" => "Nobody is signed in",
        "consent_required" => "The person has to be asked",
        _ => "The person did not agree",
    };
    refused(oauth, &pending.redirect_uri, pending.state.as_deref(), code, text)
}

/// Begins a grant and sends the browser back with its code.
pub(super) async fn agree(
    oauth: &OAuth,
    from: ClientIp,
    pending: &Pending,
    person: &Person,
) -> Result<Response> {
    let code = secrets::random(secrets::CODE_PREFIX);
    let request = wire::ApproveRequest {
        session: person.session.expose().to_owned(),
        request_id: pending.id.clone(),
        client_id: pending.client_id.clone(),
        client_name: pending.client_name.clone(),
        redirect_uri: pending.redirect_uri.clone(),
        resource: pending.resource.clone(),
        scopes: pending.scopes.clone(),
        code_hash: secrets::hash(code.expose()),
        code_challenge: pending.challenge.clone(),
        nonce: pending.nonce.clone().unwrap_or_default(),
        dpop_jkt: pending.key.clone(),
        code_ttl_seconds: CODE_SECONDS,
        remember: !redirects::is_local(&pending.redirect_uri),
        address: from.0.to_string(),
    };
    match oauth.0.hub.approve(request).await {
        Ok(_) => {}
        Err(error) if error.code == ErrorCode::Conflict => {
            let text = "This request was answered before; go back to the program and begin again";
            return Ok(pages::error(oauth, StatusCode::CONFLICT, text).await);
        }
        Err(error) if error.code == ErrorCode::Unauthenticated => {
            return Ok(pages::sign_in(oauth, pending, &pages::Attempt::default()).await);
        }
        Err(error) => return Err(error),
    }
    let mut told = vec![("code", code.expose())];
    told.extend(pending.state.as_deref().map(|state| ("state", state)));
    told.push(("iss", oauth.urls().issuer()));
    Ok(see_other(&redirects::with(&pending.redirect_uri, &told)))
}

/// The page for what the hub refused or could not do.
pub(super) async fn failed(oauth: &OAuth, error: Error) -> Response {
    let told = error.code.http_status();
    let (status, text) = if told < 500 {
        (StatusCode::from_u16(told).unwrap_or(StatusCode::BAD_REQUEST), error.message.clone())
    } else {
        let text = "The hub cannot answer right now; go back to the program and try again shortly";
        (StatusCode::SERVICE_UNAVAILABLE, text.to_owned())
    };
    let mut answer = pages::error(oauth, status, &text).await;
    if told >= 500 {
        super::error::report(&mut answer, &error);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(redirect_uri: &str) -> Pending {
        Pending {
            redirect_uri: redirect_uri.to_owned(),
            scopes: vec!["openid".to_owned(), "read".to_owned()],
            begun_at: 1000,
            ..Pending::default()
        }
    }

    #[test]
    fn a_person_is_asked_unless_they_agreed_to_all_of_it_before() {
        let remote = pending("https://a.example/cb");
        let both = ["read".to_owned(), "openid".to_owned(), "write".to_owned()];
        assert_eq!(step(&remote, None, 1000, &both), Step::SignIn);
        assert_eq!(step(&remote, Some(500), 1000, &both[..1]), Step::Ask);
        assert_eq!(step(&remote, Some(500), 1000, &both), Step::Agree);
        assert_eq!(step(&Pending { ask_again: true, ..remote }, Some(500), 1000, &both), Step::Ask);
        for local in ["http://localhost:9/cb", "http://127.0.0.1/cb", "com.example:/cb"] {
            assert_eq!(step(&pending(local), Some(500), 1000, &both), Step::Ask, "{local}");
        }
    }

    #[test]
    fn a_sign_in_can_be_too_old() {
        let again = Pending { sign_in_again: true, ..pending("https://a.example/cb") };
        assert_eq!(step(&again, Some(999), 1000, &[]), Step::SignIn);
        assert_eq!(step(&again, Some(1001), 1002, &[]), Step::Ask);
        let aged = Pending { max_age: Some(60), ..pending("https://a.example/cb") };
        assert_eq!(step(&aged, Some(939), 1000, &[]), Step::SignIn);
        assert_eq!(step(&aged, Some(940), 1000, &[]), Step::Ask);
    }

    #[test]
    fn without_a_page_the_client_is_told_what_is_missing() {
        let silent = Pending { silent: true, ..pending("https://a.example/cb") };
        assert_eq!(step(&silent, None, 1000, &[]), Step::Refuse("login_required"));
        assert_eq!(step(&silent, Some(1), 1000, &[]), Step::Refuse("consent_required"));
        assert_eq!(step(&silent, Some(1), 1000, &silent.scopes), Step::Agree);
    }
}
