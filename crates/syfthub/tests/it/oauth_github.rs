//! Signing in with GitHub on the pages of the authorization server, and back to the program or device that waits.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use axum::extract::Form;
use axum::routing::{get, post};
use axum::{Json, Router};
use http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::hub::Hub;
use crate::oauth_journey::{Answer, Somebody};

/// As much of GitHub as the hub asks; it ends with the test.
struct FakeGitHub {
    url: String,
    _server: JoinSet<()>,
}

async fn token(Form(form): Form<BTreeMap<String, String>>) -> Json<Value> {
    let is_good =
        form["code"] == "good" && form["client_secret"] == "secret" && form["code_verifier"].len() >= 43;
    Json(if is_good {
        json!({"access_token": "gho_x", "token_type": "bearer"})
    } else {
        json!({"error": "bad_verification_code"})
    })
}

impl FakeGitHub {
    async fn start() -> Self {
        let user = || async { Json(json!({"id": 583_231, "login": "octocat", "name": "The Octocat"})) };
        let mail = json!([{"email": "octocat@example.org", "primary": true, "verified": true}]);
        let router = Router::new()
            .route("/login/oauth/access_token", post(token))
            .route("/user", get(user))
            .route("/user/emails", get(|| async move { Json(mail) }));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, _server: server }
    }

    fn hub(&self) -> Hub {
        let settings = [
            ("RATE_LIMIT_ENABLED", "false"),
            ("GITHUB_CLIENT_ID", "Iv1.x"),
            ("GITHUB_CLIENT_SECRET", "secret"),
            ("GITHUB_URL", self.url.as_str()),
            ("GITHUB_API_URL", self.url.as_str()),
        ];
        Hub::start_in(TempDir::new().unwrap(), &["--no-demo"], &settings)
    }
}

/// Follows the button on a page to GitHub; gives the state with which the browser arrives there.
async fn leave(person: &mut Somebody<'_>, page: &Answer, github: &FakeGitHub) -> String {
    let rest = page.text.split_once("href=\"/mcp/oauth/github?").unwrap_or_else(|| panic!("{}", page.text)).1;
    let left = person.get(&format!("/mcp/oauth/github?{}", rest.split('"').next().unwrap())).await;
    let away = person.get(left.location()).await;
    assert!(away.location().starts_with(&github.url), "{}", away.location());
    away.told()["state"].clone()
}

/// Comes back from there.
async fn back(person: &mut Somebody<'_>, query: &str) -> Answer {
    let path = format!("/api/v1/auth/github/callback?{query}");
    let back = person.send(Method::GET, &path, &[("accept", "text/html")], String::new()).await;
    assert!(back.location().starts_with("/mcp/oauth/continue"), "{}", back.location());
    person.get(back.location()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_signs_in_with_github_and_goes_on_where_they_were() {
    let github = FakeGitHub::start().await;
    let hub = github.hub();
    let client = Somebody::at(&hub).register().await;
    let mut person = Somebody::at(&hub);
    let page = person.begin(&client, &format!("{}/mcp", hub.url), "openid read").await;

    let state = leave(&mut person, &page, &github).await;
    let refused = back(&mut person, &format!("error=access_denied&state={state}")).await;
    assert_eq!(refused.status, 401, "{}", refused.text);
    assert!(refused.text.contains("GitHub did not sign you in"), "{}", refused.text);

    let state = leave(&mut person, &refused, &github).await;
    let on = back(&mut person, &format!("code=good&state={state}")).await;
    let asks = person.get(on.location()).await;
    assert!(asks.text.contains("The Octocat") && asks.text.contains("A program"), "{}", asks.text);
    let (request, user) = (asks.hidden("request"), asks.hidden("user"));
    let fields = [("request", request.as_str()), ("user", user.as_str()), ("decision", "allow")];
    let code = person.form("/mcp/oauth/consent", &fields).await.told()["code"].clone();
    let issued = person.exchange(&client, &code).await;
    assert_eq!(issued.status, 200, "{}", issued.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_signs_in_with_github_for_a_device() {
    let github = FakeGitHub::start().await;
    let hub = github.hub();
    let mut device = Somebody::at(&hub);
    let api = format!("{}/api", hub.url);
    let fields = [("client_id", "syfthub-cli"), ("scope", "read"), ("resource", api.as_str())];
    let begun = device.form("/mcp/oauth/device_authorization", &fields).await.json();
    let mut person = Somebody::at(&hub);
    let page = person.get("/mcp/oauth/device").await;
    let (request, code) = (page.hidden("request"), begun["user_code"].as_str().unwrap());
    let entered = person.form("/mcp/oauth/device", &[("request", &request), ("user_code", code)]).await;
    let page = person.get(entered.location()).await;
    let state = leave(&mut person, &page, &github).await;
    let on = back(&mut person, &format!("code=good&state={state}")).await;
    let asks = person.get(on.location()).await;
    assert!(asks.text.contains(code) && asks.text.contains("The Octocat"), "{}", asks.text);
}
