//! The session cookie of a browser at the chat routes: who may use it, and that it is no token.

use http::StatusCode;
use serde_json::{Value, json};
use syfthub_auth::MasterKey;
use syfthub_auth::grant_ticket::{self, TicketKey};
use syfthub_config::Secret;
use syfthub_domain::Timestamp;
use syfthub_proto::chat::{AskRequest, EndpointRef};
use syfthub_rpc::{Caller, status, stubs};
use uuid::Uuid;

use crate::actor::{Answer, TestApp, post, question};
use crate::hub::{BOUND, PROOF};
use crate::upstream::Upstream;

const COOKIE: (&str, &str) = ("cookie", "theme=dark; syfthub_session=syft_ses_good");
const SAME_ORIGIN: (&str, &str) = ("sec-fetch-site", "same-origin");
const SCRIPT: (&str, &str) = ("x-requested-with", "fetch");

async fn ask(app: &TestApp, path: &str, body: &Value, headers: &[(&'static str, &str)]) -> Answer {
    let mut request = post(path, body);
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    app.send(request).await
}

/// A chat about a source that is published, so that a token is minted for whoever is known to the hub.
async fn published() -> (TestApp, Upstream, Upstream, Value) {
    let app = TestApp::with(|settings| {
        settings.aggregator.require_auth = true;
        settings.public.public = "http://localhost:8080".parse().unwrap();
    });
    let (model, source) = (Upstream::model("ok").await, Upstream::source(&[]).await);
    app.hub.publish("ann/a", &source.url);
    let body = question(&model, &[("ann/a", &source)]);
    (app, model, source, body)
}

#[tokio::test]
async fn a_script_of_the_hubs_own_pages_asks_in_the_name_of_the_session() {
    let (app, _model, source, body) = published().await;
    for path in ["/api/v1/chat", "/api/v1/chat/stream"] {
        let answer = ask(&app, path, &body, &[COOKIE, SAME_ORIGIN, SCRIPT]).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
    }
    let by_origin = [COOKIE, ("origin", "http://localhost:8080"), SCRIPT];
    assert_eq!(ask(&app, "/api/v1/chat", &body, &by_origin).await.status, StatusCode::OK);
    let calls = source.calls();
    assert_eq!(calls.len(), 3);
    for call in calls {
        assert_eq!(call.header("authorization"), Some("Bearer minted-0-for-ann"));
        assert!(!format!("{call:?}").contains("syft_ses_"), "the cookie stays at the hub");
    }
}

#[tokio::test]
async fn other_sites_and_bare_requests_cannot_use_the_cookie() {
    let (app, model, _source, body) = published().await;
    for headers in [
        &[COOKIE][..],
        &[COOKIE, SCRIPT],
        &[COOKIE, SAME_ORIGIN],
        &[COOKIE, ("sec-fetch-site", "cross-site"), SCRIPT],
        &[COOKIE, ("sec-fetch-site", "same-site"), SCRIPT],
        &[COOKIE, ("origin", "https://evil.example"), SCRIPT],
    ] {
        let answer = ask(&app, "/api/v1/chat", &body, headers).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{headers:?}: {}", answer.text);
        assert_eq!(answer.json()["error"]["code"], "PERMISSION_DENIED");
        assert!(!answer.text.contains("syft_ses_"));
    }
    assert_eq!(model.calls().len(), 0);
}

#[tokio::test]
async fn a_request_with_a_token_does_not_look_at_the_cookie() {
    let (app, _model, source, mut body) = published().await;
    let with_header = [("authorization", "Bearer syft_pat_good"), COOKIE];
    assert_eq!(ask(&app, "/api/v1/chat", &body, &with_header).await.status, StatusCode::OK);
    let wrong = [("authorization", "Bearer expired"), COOKIE, SAME_ORIGIN, SCRIPT];
    assert_eq!(ask(&app, "/api/v1/chat", &body, &wrong).await.status, StatusCode::UNAUTHORIZED);
    body["user_token"] = json!("syft_pat_good");
    assert_eq!(ask(&app, "/api/v1/chat", &body, &[COOKIE]).await.status, StatusCode::OK);
    assert_eq!(source.calls().len(), 2);
}

/// The message of `chat.v1` that asks the same.
fn message(model: &Upstream, source: &Upstream, credential: &str) -> AskRequest {
    let endpoint = |slug: &str, url: &str| EndpointRef {
        url: url.to_owned(),
        slug: slug.to_owned(),
        owner_username: "ann".to_owned(),
        ..EndpointRef::default()
    };
    AskRequest {
        prompt: "?".to_owned(),
        model: Some(endpoint("m", &model.url)),
        data_sources: vec![endpoint("a", &source.url)],
        credential: credential.to_owned(),
        ..AskRequest::default()
    }
}

#[tokio::test]
async fn a_ticket_of_a_grant_is_good_only_from_our_own_services() {
    let (app, model, source, mut body) = published().await;
    let key = TicketKey::new(&MasterKey::new(&Secret::new("secret")));
    let ticket = grant_ticket::mint(&key, Uuid::nil(), Timestamp::from_secs(1_800_000_000)).unwrap();
    let bearer = format!("Bearer {ticket}");
    let headers = [("authorization", bearer.as_str())];
    for path in ["/api/v1/chat", "/api/v1/chat/stream"] {
        assert_eq!(ask(&app, path, &body, &headers).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    let question = json!({"model": "ann/m", "messages": [{"role": "user", "content": "?"}]});
    let refused = ask(&app, "/v1/chat/completions", &question, &headers).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    body["user_token"] = json!(ticket);
    assert_eq!(ask(&app, "/api/v1/chat", &body, &[]).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!((model.calls().len(), source.calls().len()), (0, 0));
    stubs::chat_client(app.peer(Caller::Mcp)).ask(message(&model, &source, &ticket)).await.unwrap();
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_key_is_shown_to_the_hub_once_with_its_proof() {
    let (app, model, _, body) = published().await;
    let bound = format!("DPoP {BOUND}");
    let headers = [("authorization", bound.as_str()), ("dpop", PROOF)];
    let question = json!({"model": "ann/m", "messages": [{"role": "user", "content": "?"}]});
    // The fake hub lists no model by name: whoever gets to hear that was let in.
    let (ok, unknown) = (StatusCode::OK, StatusCode::NOT_FOUND);
    for (path, body, status) in [("/api/v1/chat", &body, ok), ("/v1/chat/completions", &question, unknown)] {
        let answer = ask(&app, path, body, &headers).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
        for wrong in [&headers[..1], &[headers[0], ("dpop", "x.y.z")]] {
            let refused = ask(&app, path, body, wrong).await;
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{path}: {}", refused.text);
            let challenge = refused.headers["www-authenticate"].to_str().unwrap();
            assert!(challenge.starts_with("DPoP error=\"invalid_dpop_proof\", algs=\""), "{challenge}");
        }
    }
    assert_eq!(model.calls().len(), 1);
    let proven = app.hub.proven.lock().unwrap().clone();
    assert!(proven.iter().all(|request| request.method == "POST"), "{proven:?}");
    let addresses: Vec<String> = proven.into_iter().flat_map(|request| request.addresses).collect();
    let paths = ["/aggregator/api/v1/chat", "/v1/chat/completions", "/aggregator/v1/chat/completions"];
    assert_eq!(addresses, paths.map(|path| format!("http://localhost:8080{path}")));
}

#[tokio::test]
async fn the_value_of_a_cookie_is_no_token() {
    let (app, model, source, mut body) = published().await;
    let as_header = [("authorization", "Bearer syft_ses_good")];
    assert_eq!(ask(&app, "/api/v1/chat", &body, &as_header).await.status, StatusCode::UNAUTHORIZED);
    body["user_token"] = json!("syft_ses_good");
    assert_eq!(ask(&app, "/api/v1/chat", &body, &[]).await.status, StatusCode::UNAUTHORIZED);
    let request = message(&model, &source, "syft_ses_good");
    for caller in [Caller::Mcp, Caller::Cli] {
        let refused = stubs::chat_client(app.peer(caller)).ask(request.clone()).await.unwrap_err();
        assert_eq!(status::from_status(&refused).code.name(), "UNAUTHENTICATED", "{caller:?}");
    }
    assert_eq!((model.calls().len(), source.calls().len()), (0, 0));
}
