//! GitHub as far as the hub sees it: codes for those who sign in there, tokens for codes, and who the token is for.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::extract::{Form, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use syfthub_config::{GitHubSignIn, Secret, Settings};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::Url;

use super::browser::Browser;
use crate::actor::{Answer, TestApp};

const CLIENT_ID: &str = "Iv1.8a61f9b3a7aba766";
const CLIENT_SECRET: &str = "the-application-s-own-secret";
const TOKEN: &str = "gho_a-token-for-one-sign-in";
pub(super) const START: &str = "/api/v1/auth/github";
pub(super) const STATE_COOKIE: &str = "syfthub_sign_in";
pub(super) const SESSION_COOKIE: &str = "syfthub_session";

/// What it answers, and what it has seen.
pub(super) struct Account {
    pub(super) user: Value,
    pub(super) emails: Value,
    /// Instead of a token.
    pub(super) refusal: Option<Value>,
    /// Instead of the user.
    pub(super) failure: Option<(StatusCode, String)>,
    /// Codes that were given away and not taken yet, with the challenge of each.
    codes: BTreeMap<String, String>,
    /// Codes that were brought.
    pub(super) brought: usize,
}

type Shared = Arc<Mutex<Account>>;

/// The provider. It ends with the test.
pub(super) struct FakeGitHub {
    pub(super) account: Shared,
    url: String,
    _server: JoinSet<()>,
}

async fn token(State(account): State<Shared>, Form(form): Form<BTreeMap<String, String>>) -> Json<Value> {
    let mut account = account.lock().unwrap();
    account.brought += 1;
    if let Some(refusal) = &account.refusal {
        return Json(refusal.clone());
    }
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default().to_owned();
    let known = field("client_id") == CLIENT_ID
        && field("client_secret") == CLIENT_SECRET
        && field("redirect_uri") == "http://localhost:8080/api/v1/auth/github/callback";
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(field("code_verifier")));
    // A code is good once.
    let good = account.codes.remove(&field("code")).is_some_and(|given| given == challenge);
    Json(if known && good {
        json!({"access_token": TOKEN, "token_type": "bearer", "scope": "read:user,user:email"})
    } else {
        json!({"error": "bad_verification_code", "error_description": "The code is <b>incorrect</b> or expired."})
    })
}

fn is_holder(headers: &HeaderMap) -> bool {
    headers.get("authorization").is_some_and(|value| *value == format!("Bearer {TOKEN}")[..])
        && headers.contains_key("user-agent")
}

async fn user(State(account): State<Shared>, headers: HeaderMap) -> (StatusCode, String) {
    let account = account.lock().unwrap();
    match &account.failure {
        Some(failure) => failure.clone(),
        None if is_holder(&headers) => (StatusCode::OK, account.user.to_string()),
        None => (StatusCode::UNAUTHORIZED, "{}".to_owned()),
    }
}

async fn emails(State(account): State<Shared>, headers: HeaderMap) -> (StatusCode, String) {
    let account = account.lock().unwrap();
    if is_holder(&headers) {
        (StatusCode::OK, account.emails.to_string())
    } else {
        (StatusCode::UNAUTHORIZED, "{}".to_owned())
    }
}

impl FakeGitHub {
    pub(super) async fn start() -> Self {
        let account = Arc::new(Mutex::new(Account {
            user: json!({"id": 583_231, "login": "octocat", "name": "The Octocat", "avatar_url": "https://avatars.example/u/583231"}),
            emails: json!([
                {"email": "other@example.com", "primary": false, "verified": true, "visibility": null},
                {"email": "Octo@Example.com", "primary": true, "verified": true, "visibility": "public"},
            ]),
            refusal: None,
            failure: None,
            codes: BTreeMap::new(),
            brought: 0,
        }));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/login/oauth/access_token", post(token))
            .route("/api/v3/user", get(user))
            .route("/api/v3/user/emails", get(emails))
            .with_state(Arc::clone(&account));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { account, url, _server: server }
    }

    pub(super) fn configure(&self, settings: &mut Settings) {
        settings.sign_in.github = Some(GitHubSignIn {
            client_id: CLIENT_ID.to_owned(),
            client_secret: Secret::new(CLIENT_SECRET),
            url: self.url.clone(),
            api_url: format!("{}/api/v3", self.url),
        });
    }

    /// A hub where people sign in with this provider.
    pub(super) async fn hub() -> (TestApp, Self) {
        let github = Self::start().await;
        let app = TestApp::start_with(|settings| github.configure(settings)).await;
        (app, github)
    }

    /// What somebody does there: signs in, and is sent back to this path of the hub.
    pub(super) fn authorize(&self, sent: &Answer) -> String {
        assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
        let url = Url::parse(sent.header("location")).unwrap();
        assert!(url.as_str().starts_with(&format!("{}/login/oauth/authorize?", self.url)), "{url}");
        let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!((query["response_type"].as_str(), query["client_id"].as_str()), ("code", CLIENT_ID));
        assert_eq!(
            (query["scope"].as_str(), query["code_challenge_method"].as_str()),
            ("read:user user:email", "S256")
        );
        assert!(query["state"].len() >= 43 && !url.as_str().contains(CLIENT_SECRET));
        let mut account = self.account.lock().unwrap();
        let code = format!("code-{}", account.codes.len() + account.brought);
        account.codes.insert(code.clone(), query["code_challenge"].clone());
        let back =
            Url::parse_with_params(&query["redirect_uri"], [("code", &code), ("state", &query["state"])]);
        let back = back.unwrap();
        assert_eq!(back.origin().ascii_serialization(), "http://localhost:8080");
        back[url::Position::BeforePath..].to_owned()
    }

    /// The whole way of somebody who signs in. Gives what the hub answered at the end.
    pub(super) async fn walk(&self, browser: &Browser, start: &str) -> Answer {
        let back = self.authorize(&browser.open(start).await);
        browser.open(&back).await
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut Account)) {
        change(&mut self.account.lock().unwrap());
    }
}

/// Where an answer sends the browser.
#[track_caller]
pub(super) fn sent_to(answer: &Answer) -> &str {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    answer.header("location")
}
