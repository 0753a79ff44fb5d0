//! Every route that changes credentials, money, administration or the existence of an account leaves its entry in
//! the audit log: one table, executed. A documented route of that kind without a row fails the test with its name.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use syfthub_auth::Action;
use syfthub_config::WalletProvider;

use crate::actor::{Actor, PASSWORD, TestApp};
use crate::sign_in_providers::fake_google::{FakeGoogle, good};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Guest,
    User,
    Admin,
}

/// What a change leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaves {
    /// An entry with this action.
    Entry(&'static str),
    /// Nothing, and why that is right.
    Nothing(&'static str),
}

use By::{Admin, Guest, User};
use Leaves::{Entry, Nothing};

const NOT_CONFIGURED: Leaves = Nothing("without an accounting service the route only says so");
const OWN_NOTES: Leaves =
    Nothing("what users remember of credits that they hold elsewhere; no right and no money of the hub");

/// Method, path of the document, who asks, what stays.
const TABLE: &[(&str, &str, By, Leaves)] = &[
    ("POST", "/api/v1/auth/tokens", User, Entry("token.created")),
    ("PATCH", "/api/v1/auth/tokens/{id}", User, Entry("token.renamed")),
    ("DELETE", "/api/v1/auth/tokens/{id}", User, Entry("token.revoked")),
    ("DELETE", "/api/v1/auth/sessions", User, Entry("session.revoked_others")),
    ("DELETE", "/api/v1/auth/sessions/{id}", User, Entry("session.revoked")),
    ("DELETE", "/api/v1/auth/grants", User, Entry("grant.revoked_all")),
    ("DELETE", "/api/v1/auth/grants/{id}", User, Entry("grant.revoked")),
    ("DELETE", "/api/v1/users/{id}/grants", Admin, Entry("grant.revoked_all")),
    ("PUT", "/api/v1/auth/me/password", User, Entry("user.password_changed")),
    ("POST", "/api/v1/users/me/identities/{provider}", User, Entry("identity.linked")),
    ("DELETE", "/api/v1/users/me/identities/{provider}", User, Entry("identity.unlinked")),
    ("DELETE", "/api/v1/users/{id}", User, Entry("user.deleted")),
    ("PATCH", "/api/v1/users/{id}/deactivate", Admin, Entry("user.deactivated")),
    ("PATCH", "/api/v1/users/{id}/activate", Admin, Entry("user.activated")),
    ("PATCH", "/api/v1/endpoints/{id}/admin", Admin, Entry("endpoint.admin_updated")),
    ("PUT", "/api/v1/nats/encryption-key", User, Entry("encryption_key.changed")),
    ("POST", "/api/v1/wallet/create", User, Entry("wallet.created")),
    ("POST", "/api/v1/wallet/import", User, Entry("wallet.imported")),
    ("POST", "/api/v1/wallet/pay", User, Entry("wallet.paid")),
    ("POST", "/api/v1/wallet/subscriptions", User, OWN_NOTES),
    ("DELETE", "/api/v1/wallet/subscriptions/by-owner/{owner}", User, OWN_NOTES),
    ("DELETE", "/api/v1/wallet/subscriptions/{id}", User, OWN_NOTES),
    ("POST", "/api/v1/accounting/transaction-tokens", User, NOT_CONFIGURED),
    ("POST", "/api/v1/accounting/transactions", User, NOT_CONFIGURED),
    ("POST", "/api/v1/accounting/transactions/{id}/confirm", User, NOT_CONFIGURED),
    ("POST", "/api/v1/accounting/transactions/{id}/cancel", User, NOT_CONFIGURED),
    ("PATCH", "/api/v1/admin/feedback/{id}", Admin, Entry("feedback.updated")),
    ("PATCH", "/api/v1/admin/settings", Admin, Entry("settings.changed")),
    ("POST", "/api/v1/admin/invitations", Admin, Entry("invitation.created")),
    ("DELETE", "/api/v1/admin/invitations/{id}", Admin, Entry("invitation.revoked")),
    ("POST", "/api/v1/admin/oauth/clients", Admin, Entry("oauth_client.created")),
    ("DELETE", "/api/v1/admin/oauth/clients/{client_id}", Admin, Entry("oauth_client.deleted")),
    ("POST", "/api/v1/admin/oauth/clients/{client_id}/secret", Admin, Entry("oauth_client.secret_changed")),
    // Not of that class, but about who may do what.
    ("POST", "/api/v1/auth/register", Guest, Entry("user.created")),
    ("PUT", "/api/v1/users/me", User, Entry("user.updated")),
    ("PUT", "/api/v1/users/{id}", Admin, Entry("user.updated")),
    ("POST", "/api/v1/endpoints", User, Entry("endpoint.created")),
    ("PATCH", "/api/v1/endpoints/{id}", User, Entry("endpoint.updated")),
    ("DELETE", "/api/v1/endpoints/{id}", User, Entry("endpoint.deleted")),
    ("POST", "/api/v1/endpoints/sync", User, Entry("endpoint.synced")),
    ("POST", "/api/v1/collectives", User, Entry("collective.created")),
    ("GET", "/api/v1/admin/audit/export", Admin, Entry("audit.exported")),
    ("GET", "/api/v1/admin/users/export", Admin, Entry("users.exported")),
];

/// People and things that one request is about.
struct Scene {
    bob: Actor,
    root: Actor,
    number: usize,
    /// Proves an account at Google.
    credential: String,
}

impl Scene {
    async fn set(app: &TestApp, number: usize) -> Self {
        let bob = app.user(&format!("bob-{number}")).await;
        let root = app.another_admin(&format!("root-{number}")).await;
        let credential = good(app, &number.to_string(), "bob@elsewhere.example");
        Self { bob, root, number, credential }
    }

    /// The path with something real in place of what it names; makes what the request needs to be there.
    async fn path(&self, app: &TestApp, method: &str, path: &str) -> String {
        let Self { bob, root, .. } = self;
        if path == "/api/v1/wallet/pay" {
            bob.post("/api/v1/wallet/create", &json!({})).await.expect(StatusCode::OK);
        }
        if path.starts_with("/api/v1/wallet/subscriptions") && method == "DELETE" {
            let made = bob.post("/api/v1/wallet/subscriptions", &subscription()).await.expect(StatusCode::OK);
            return path.replace("{owner}", "ada").replace("{id}", &made["id"].to_string());
        }
        if path.contains("{client_id}") {
            let made = root.post("/api/v1/admin/oauth/clients", &oauth_client()).await;
            let made = made.expect(StatusCode::CREATED);
            return path.replace("{client_id}", made["client_id"].as_str().unwrap());
        }
        if let Some(front) = path.strip_suffix("{provider}") {
            let google = format!("{front}google");
            if method == "DELETE" {
                bob.post(&google, &json!({"credential": self.credential})).await.expect(StatusCode::OK);
            }
            return google;
        }
        let id = match path.split("/{id}").next().unwrap() {
            _ if !path.contains("{id}") => return path.to_owned(),
            "/api/v1/auth/tokens" => {
                bob.post("/api/v1/auth/tokens", &json!({"name": "ci"})).await.json()["id"].to_string()
            }
            "/api/v1/auth/sessions" => {
                app.anon().login(&format!("bob-{}", self.number), PASSWORD).await.is(200);
                let all = bob.get("/api/v1/auth/sessions").await.expect(StatusCode::OK);
                let other = all.as_array().unwrap().iter().find(|one| one["current"] == false).unwrap();
                other["id"].as_str().unwrap().to_owned()
            }
            "/api/v1/auth/grants" => {
                let mut server = crate::oauth::client(app);
                let name = format!("bob-{}", self.number);
                crate::oauth::granted(&mut server, &name, &name, |_| {}).await.id
            }
            "/api/v1/users" => bob.id.to_string(),
            "/api/v1/endpoints" => bob.publish("notes", json!({})).await["id"].to_string(),
            "/api/v1/admin/feedback" => self.feedback().await,
            "/api/v1/admin/invitations" => {
                let made =
                    root.post("/api/v1/admin/invitations", &json!({})).await.expect(StatusCode::CREATED);
                made["id"].as_str().unwrap().to_owned()
            }
            _ => "1".to_owned(),
        };
        path.replace("{id}", &id)
    }

    async fn feedback(&self) -> String {
        let form =
            "--XX\r\nContent-Disposition: form-data; name=\"description\"\r\n\r\nIt broke\r\n--XX--\r\n";
        let headers = [("content-type", "multipart/form-data; boundary=XX")];
        let sent = self.bob.having(Method::POST, "/api/v1/feedback", &headers, form).await;
        sent.expect(StatusCode::OK)["ticket_id"].as_str().unwrap().to_owned()
    }

    fn body(&self, path: &str) -> Value {
        match path {
            "/api/v1/auth/tokens" | "/api/v1/auth/tokens/{id}" => json!({"name": "renamed"}),
            "/api/v1/auth/me/password" => {
                json!({"current_password": PASSWORD, "new_password": "another horse 2"})
            }
            "/api/v1/users/me/identities/{provider}" => json!({"credential": self.credential}),
            "/api/v1/endpoints/{id}/admin" => json!({"is_active": false}),
            "/api/v1/nats/encryption-key" => {
                json!({"encryption_public_key": BASE64_URL_SAFE_NO_PAD.encode([7_u8; 32])})
            }
            "/api/v1/wallet/import" => json!({"private_key": format!("0x{:064x}", self.number + 1)}),
            "/api/v1/wallet/pay" => payment(),
            "/api/v1/wallet/subscriptions" => subscription(),
            "/api/v1/accounting/transaction-tokens" => json!({"owner_usernames": ["ada"]}),
            "/api/v1/admin/feedback/{id}" => json!({"status": "resolved"}),
            "/api/v1/admin/settings" => json!({"instance_name": format!("Hub {}", self.number)}),
            "/api/v1/admin/oauth/clients" => oauth_client(),
            "/api/v1/auth/register" => crate::shorthand::account(&format!("new-{}", self.number)),
            "/api/v1/users/me" | "/api/v1/users/{id}" => json!({"full_name": "Robert"}),
            "/api/v1/endpoints" => json!({"name": "Notes", "type": "model"}),
            "/api/v1/endpoints/{id}" => json!({"visibility": "private"}),
            "/api/v1/endpoints/sync" => json!({"endpoints": [{"name": "Two", "type": "model"}]}),
            "/api/v1/collectives" => json!({"name": format!("Circle {}", self.number)}),
            _ => json!({}),
        }
    }
}

fn subscription() -> Value {
    json!({"credits_url": "https://c.org/1", "payment_url": "https://p.org", "endpoint_owner": "ada"})
}

fn oauth_client() -> Value {
    json!({"client_name": "A wiki", "redirect_uris": ["https://wiki.example/callback"]})
}

fn payment() -> Value {
    let request = json!({"amount": "1", "currency": "USD", "recipient": "0xb0b"});
    let request = BASE64_URL_SAFE_NO_PAD.encode(request.to_string());
    let header =
        format!(r#"Payment id="1", realm="node", method="mock", intent="charge", request="{request}""#);
    json!({"www_authenticate": header, "endpoint_slug": "notes"})
}

/// All entries there are, newest first.
async fn entries(root: &Actor) -> Vec<Value> {
    let page = root.get("/api/v1/admin/audit?limit=500").await.expect(StatusCode::OK);
    page["entries"].as_array().unwrap().clone()
}

#[test]
fn every_route_of_that_kind_has_a_row() {
    let document = syfthub_backend::openapi();
    let mut missing = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys().map(|method| method.to_uppercase()) {
            let counts = method != "GET" && Action::classify(&method, path) == Action::Credential;
            let rows = TABLE.iter().filter(|row| (row.0, row.1) == (method.as_str(), path.as_str())).count();
            if counts && rows != 1 {
                missing.push(format!("{method} {path}"));
            }
        }
    }
    assert!(missing.is_empty(), "say in TABLE what these leave in the audit log, once: {missing:#?}");
    let reasons = TABLE.iter().filter_map(|row| if let Nothing(why) = row.3 { Some(why) } else { None });
    assert!(reasons.into_iter().all(|why| !why.is_empty()));
}

#[tokio::test]
async fn every_change_leaves_what_the_table_says() {
    let google = FakeGoogle::start().await;
    let app = TestApp::start_with(|settings| {
        google.configure(settings);
        settings.rate_limits.enabled = false;
        settings.wallet.provider = WalletProvider::Mock;
    })
    .await;
    let mut wrong = Vec::new();
    for (number, (method, path, by, leaves)) in TABLE.iter().enumerate() {
        let scene = Scene::set(&app, number).await;
        let asked = scene.path(&app, method, path).await;
        let watcher = app.another_admin(&format!("watcher-{number}")).await;
        let before = entries(&watcher).await.len();
        let (who, id) = match by {
            Guest => (app.anon(), None),
            User => (scene.bob.clone(), Some(scene.bob.id)),
            Admin => (scene.root.clone(), Some(scene.root.id)),
        };
        let body = (*method != "GET" && *method != "DELETE").then(|| scene.body(path));
        let answer = who.send(method.parse().unwrap(), &asked, body.as_ref()).await;
        let all = entries(&watcher).await;
        assert!(all.len() < 500, "entries of one page");
        let new = &all[..all.len() - before];
        let is_right = match leaves {
            Nothing(_) => new.is_empty(),
            Entry(action) => {
                answer.status.is_success()
                    && new.len() == 1
                    && new[0]["action"] == *action
                    && new[0]["outcome"] == "success"
                    && id.is_none_or(|id| new[0]["actor_id"] == id)
                    && new[0]["correlation_id"] == answer.header("x-correlation-id")
            }
        };
        if !is_right {
            wrong.push(format!("{method} {asked} ({}): {}", answer.status, json!(new)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let everything = json!(entries(&app.another_admin("reader").await).await).to_string();
    for secret in [PASSWORD, "another horse", "argon2", "0x0000000000000000000000000000000000000000000000"] {
        assert!(!everything.contains(secret), "{secret}");
    }
}
