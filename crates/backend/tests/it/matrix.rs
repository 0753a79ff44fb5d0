//! Who may use which route: one table, executed for everybody there is.
//!
//! A row says what a route needs; a documented route without a row fails the test with its name. What is asked is
//! only whether a request gets past the door: 401 and 403 are "refused", everything else is "let in", also a 404
//! or a 422, because parameters and bodies lead nowhere. Where ownership decides, the row names a real thing of
//! another user, and the refusal may be a 404 that hides it.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::actor::{Actor, TestApp};

/// Who is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    /// Everybody. A credential that is not good is as good as none.
    Open,
    /// Who is signed in, with the scope `read`.
    Read,
    /// Who is signed in, with the scope `write`.
    Write,
    /// Who is signed in with full rights: credentials, money.
    Full,
    /// The person themself with the scope `read`, and admins with full rights.
    AccountRead,
    /// The person themself with the scope `write`, and admins with full rights.
    Account,
    /// The owner and admins, with the scope `write`.
    Own,
    /// The owner and nobody else, with the scope `write`.
    OwnerOnly,
    /// The owner and admins, with full rights.
    OwnFull,
    /// Admins, with full rights.
    Admin,
}

use Door::{Account, AccountRead, Admin, Full, Open, Own, OwnFull, OwnerOnly, Read, Write};

/// Method, path of the document, door.
const TABLE: &[(&str, &str, Door)] = &[
    ("GET", "/.well-known/jwks.json", Open),
    ("GET", "/api/v1/auth/config", Open),
    ("POST", "/api/v1/auth/register", Open),
    ("POST", "/api/v1/auth/login", Open),
    ("POST", "/api/v1/auth/refresh", Open),
    ("POST", "/api/v1/auth/logout", Write),
    ("GET", "/api/v1/auth/me", Read),
    ("PUT", "/api/v1/auth/me/password", Full),
    ("POST", "/api/v1/auth/tokens", Full),
    ("GET", "/api/v1/auth/tokens", Read),
    ("GET", "/api/v1/auth/tokens/{id}", Read),
    ("PATCH", "/api/v1/auth/tokens/{id}", Full),
    ("DELETE", "/api/v1/auth/tokens/{id}", Full),
    ("POST", "/api/v1/auth/session", Open),
    ("DELETE", "/api/v1/auth/session", Open),
    ("GET", "/api/v1/auth/sessions", Read),
    ("DELETE", "/api/v1/auth/sessions", Full),
    ("DELETE", "/api/v1/auth/sessions/{id}", Full),
    ("POST", "/api/v1/endpoints", Write),
    ("GET", "/api/v1/endpoints", Read),
    ("GET", "/api/v1/endpoints/public", Open),
    ("GET", "/api/v1/endpoints/public/grouped", Open),
    ("GET", "/api/v1/endpoints/public/owners", Open),
    ("GET", "/api/v1/endpoints/public/by-owner/{owner}", Open),
    ("GET", "/api/v1/endpoints/public/{owner}/{slug}", Open),
    ("GET", "/api/v1/endpoints/trending", Open),
    ("GET", "/api/v1/endpoints/guest-accessible", Open),
    ("POST", "/api/v1/endpoints/search", Open),
    ("POST", "/api/v1/endpoints/sync", Write),
    ("POST", "/api/v1/endpoints/health", Write),
    ("PATCH", "/api/v1/endpoints/slug/{slug}", Write),
    ("DELETE", "/api/v1/endpoints/slug/{slug}", Write),
    ("GET", "/api/v1/endpoints/{id}", Read),
    ("PATCH", "/api/v1/endpoints/{id}", Own),
    ("DELETE", "/api/v1/endpoints/{id}", Own),
    ("PATCH", "/api/v1/endpoints/{id}/admin", Admin),
    ("GET", "/api/v1/endpoints/{id}/exists", Read),
    ("POST", "/api/v1/endpoints/{id}/star", Write),
    ("DELETE", "/api/v1/endpoints/{id}/star", Write),
    ("PATCH", "/api/v1/endpoints/{id}/star", Write),
    ("PATCH", "/api/v1/endpoints/{id}/unstar", Write),
    ("GET", "/api/v1/endpoints/{id}/starred", Read),
    ("GET", "/api/v1/endpoints/{id}/{slug}/uptime", Open),
    ("GET", "/api/v1/setup", Open),
    ("POST", "/api/v1/setup", Open),
    ("GET", "/api/v1/token", Read),
    ("GET", "/api/v1/token/guest", Open),
    ("GET", "/api/v1/token/audiences", Read),
    ("POST", "/api/v1/verify", Read),
    ("GET", "/api/v1/users/me", Read),
    ("POST", "/api/v1/users/me/heartbeat", Write),
    ("GET", "/api/v1/users/public/{username}", Open),
    ("GET", "/api/v1/users/check-username/{username}", Open),
    ("GET", "/api/v1/users/check-email/{email}", Open),
    ("GET", "/{owner}", Open),
    ("GET", "/{owner}/{slug}", Open),
    ("POST", "/{owner}/{slug}", Open),
    ("POST", "/api/v1/auth/register/verify-otp", Open),
    ("POST", "/api/v1/auth/register/resend-otp", Open),
    ("POST", "/api/v1/auth/password-reset/request", Open),
    ("POST", "/api/v1/auth/password-reset/confirm", Open),
    ("POST", "/api/v1/auth/google", Open),
    ("GET", "/api/v1/users", Admin),
    ("PUT", "/api/v1/users/me", Write),
    ("GET", "/api/v1/users/me/accounting", Full),
    ("GET", "/api/v1/users/me/tunnel-credentials", Full),
    ("GET", "/api/v1/users/me/aggregators", Read),
    ("POST", "/api/v1/users/me/aggregators", Write),
    ("GET", "/api/v1/users/me/aggregators/{id}", Read),
    ("PUT", "/api/v1/users/me/aggregators/{id}", Write),
    ("DELETE", "/api/v1/users/me/aggregators/{id}", Write),
    ("PATCH", "/api/v1/users/me/aggregators/{id}/default", Write),
    ("PUT", "/api/v1/users/{id}", Account),
    ("DELETE", "/api/v1/users/{id}", OwnFull),
    ("PATCH", "/api/v1/users/{id}/deactivate", Admin),
    ("PATCH", "/api/v1/users/{id}/activate", Admin),
    ("POST", "/api/v1/peer-token", Write),
    ("POST", "/api/v1/nats/guest-peer-token", Open),
    ("GET", "/api/v1/nats/credentials", Full),
    ("PUT", "/api/v1/nats/encryption-key", Full),
    ("GET", "/api/v1/nats/encryption-key/{username}", Open),
    ("GET", "/api/v1/wallet", Read),
    ("POST", "/api/v1/wallet/create", Full),
    ("POST", "/api/v1/wallet/import", Full),
    ("GET", "/api/v1/wallet/balance", Read),
    ("GET", "/api/v1/wallet/transactions", Read),
    ("POST", "/api/v1/wallet/pay", Full),
    ("GET", "/api/v1/wallet/subscriptions", Read),
    ("POST", "/api/v1/wallet/subscriptions", Full),
    ("DELETE", "/api/v1/wallet/subscriptions/by-owner/{owner}", Full),
    ("DELETE", "/api/v1/wallet/subscriptions/{id}", Full),
    ("POST", "/api/v1/feedback", Write),
    ("POST", "/api/v1/errors/report", Open),
    ("POST", "/api/v1/errors/service-report", Open),
    ("POST", "/api/v1/collectives", Write),
    ("GET", "/api/v1/collectives", Open),
    ("GET", "/api/v1/collectives/{id}", Open),
    ("PATCH", "/api/v1/collectives/{id}", Own),
    ("DELETE", "/api/v1/collectives/{id}", Own),
    ("GET", "/api/v1/collectives/by-slug/{slug}", Open),
    ("GET", "/api/v1/collectives/by-slug/{slug}/endpoint-paths", Open),
    ("GET", "/api/v1/collectives/by-slug/{slug}/billing-summary", Read),
    ("GET", "/api/v1/collectives/by-endpoint/{owner}/{slug}", Open),
    ("GET", "/api/v1/collectives/shared-endpoints/bulk", Open),
    ("GET", "/api/v1/collectives/by-slug/{slug}/shared-endpoints", Open),
    ("GET", "/api/v1/collectives/by-slug/{slug}/shared-endpoints/{shared}", Open),
    ("GET", "/api/v1/collectives/by-slug/{slug}/shared-endpoints/{shared}/billing-summary", Read),
    ("GET", "/api/v1/collectives/by-slug/{slug}/shared-endpoints/{shared}/endpoint-paths", Open),
    ("POST", "/api/v1/collectives/{id}/invitations", OwnerOnly),
    ("POST", "/api/v1/collectives/{id}/invitations/by-path", OwnerOnly),
    ("GET", "/api/v1/collectives/{id}/invitations/{endpoint_id}", Read),
    ("POST", "/api/v1/collectives/{id}/invitations/{endpoint_id}/respond", Write),
    ("GET", "/api/v1/collectives/{id}/members", Open),
    ("POST", "/api/v1/collectives/{id}/members", Write),
    ("DELETE", "/api/v1/collectives/{id}/members/{endpoint_id}", Write),
    ("POST", "/api/v1/collectives/{id}/members/{endpoint_id}/review", OwnerOnly),
    ("GET", "/api/v1/collectives/{id}/shared-endpoints", Open),
    ("POST", "/api/v1/collectives/{id}/shared-endpoints", OwnerOnly),
    ("GET", "/api/v1/collectives/{id}/shared-endpoints/{shared}", Open),
    ("DELETE", "/api/v1/collectives/{id}/shared-endpoints/{shared}", OwnerOnly),
    ("PATCH", "/api/v1/collectives/{id}/shared-endpoints/{shared}", OwnerOnly),
    ("POST", "/api/v1/accounting/transaction-tokens", Full),
    ("GET", "/api/v1/accounting/user", Full),
    ("GET", "/api/v1/accounting/transactions", Full),
    ("POST", "/api/v1/accounting/transactions", Full),
    ("POST", "/api/v1/accounting/transactions/{id}/confirm", Full),
    ("POST", "/api/v1/accounting/transactions/{id}/cancel", Full),
    ("GET", "/api/v1/admin/errors", Admin),
    ("GET", "/api/v1/admin/errors/{id}", Admin),
    ("GET", "/api/v1/admin/feedback", Admin),
    ("GET", "/api/v1/admin/feedback/{id}", Admin),
    ("PATCH", "/api/v1/admin/feedback/{id}", Admin),
    ("GET", "/api/v1/admin/feedback/{id}/screenshot", Admin),
    ("GET", "/api/v1/admin/activity", Admin),
    ("GET", "/api/v1/admin/audit", Admin),
    ("GET", "/api/v1/admin/audit/export", Admin),
    ("GET", "/api/v1/admin/audit/verify", Admin),
    ("GET", "/api/v1/auth/activity", Read),
    ("GET", "/api/v1/admin/overview", Admin),
    ("GET", "/api/v1/admin/users", Admin),
    ("GET", "/api/v1/admin/users/export", Admin),
    ("GET", "/api/v1/admin/settings", Admin),
    ("PATCH", "/api/v1/admin/settings", Admin),
    ("GET", "/api/v1/admin/invitations", Admin),
    ("POST", "/api/v1/admin/invitations", Admin),
    ("DELETE", "/api/v1/admin/invitations/{id}", Admin),
    ("GET", "/api/v1/users/{id}", AccountRead),
];

/// Bodies for routes that look at the body before they look at the caller; all others get `{}`.
fn body(path: &str) -> Value {
    match path.rsplit('/').next() {
        Some("invitations") => json!({"endpoint_id": 1}),
        Some("by-path") => json!({"owner_username": "nobody", "slug": "nothing"}),
        Some("review") => json!({"decision": "approve"}),
        Some("shared-endpoints") => json!({"name": "Some", "endpoint_ids": [1]}),
        _ => json!({}),
    }
}

/// Somebody at the door, and what they hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Person {
    Anonymous,
    /// The user whose thing it is, where there is one.
    Owner,
    /// The same with a personal access token of one scope.
    OwnerReads,
    OwnerWrites,
    OwnerFull,
    /// Another user.
    Stranger,
    AdminSession,
    AdminReads,
    AdminWrites,
    AdminFull,
}

use Person::*;

const PEOPLE: &[Person] = &[
    Anonymous,
    Owner,
    OwnerReads,
    OwnerWrites,
    OwnerFull,
    Stranger,
    AdminSession,
    AdminReads,
    AdminWrites,
    AdminFull,
];

/// What a request meets.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    In,
    /// 401.
    SignIn,
    /// 403, or a 404 that hides a thing of somebody else.
    Refused,
}

/// The rule in words.
fn expected(door: Door, person: Person) -> Verdict {
    let reads = matches!(person, OwnerReads | AdminReads);
    let writes = matches!(person, OwnerWrites | AdminWrites);
    let admin = matches!(person, AdminSession | AdminReads | AdminWrites | AdminFull);
    let allowed = match door {
        Open => return Verdict::In,
        _ if person == Anonymous => return Verdict::SignIn,
        Read => true,
        Write => !reads,
        Full => !reads && !writes,
        AccountRead => person != Stranger && !(admin && (reads || writes)),
        Account => !reads && person != Stranger && !(admin && writes),
        Own => !reads && person != Stranger,
        OwnerOnly => !reads && !admin && person != Stranger,
        OwnFull => !reads && !writes && person != Stranger,
        Admin => admin && !reads && !writes,
    };
    if allowed { Verdict::In } else { Verdict::Refused }
}

/// Documented routes: method and path.
fn documented() -> Vec<(String, String)> {
    let document = syfthub_backend::openapi();
    let mut routes = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            routes.push((method.to_uppercase(), path.clone()));
        }
    }
    routes
}

/// The people of one request, made for it alone: a request may end a session or remove what it names.
struct Scene {
    owner: Actor,
    stranger: Actor,
    admin: Actor,
    path: String,
}

impl Scene {
    async fn set(app: &TestApp, number: usize, row: (&str, &str, Door)) -> Self {
        let owner = app.user(&format!("ada-{number}")).await;
        let stranger = app.user(&format!("bob-{number}")).await;
        let admin = app.another_admin(&format!("root-{number}")).await;
        let (_, path, door) = row;
        let mut path = path.to_owned();
        if matches!(door, Own | Account | AccountRead | OwnerOnly | OwnFull) {
            let id = if path.starts_with("/api/v1/users/") {
                owner.id
            } else if path.starts_with("/api/v1/collectives/") {
                let body = json!({"name": format!("Circle {number}")});
                let made = owner.post("/api/v1/collectives", &body).await;
                made.expect(StatusCode::CREATED)["id"].as_i64().unwrap()
            } else {
                let made = owner.publish(&format!("thing-{number}"), json!({})).await;
                made["id"].as_i64().unwrap()
            };
            path = path.replace("{id}", &id.to_string());
        }
        // What is left leads nowhere.
        while let (Some(start), Some(end)) = (path.find('{'), path.find('}')) {
            let filling = if path[start..end].ends_with("id") { "999999" } else { "none" };
            path.replace_range(start..=end, filling);
        }
        Self { owner, stranger, admin, path }
    }

    async fn as_person(&self, app: &TestApp, person: Person) -> Actor {
        match person {
            Anonymous => app.anon(),
            Owner => self.owner.clone(),
            OwnerReads => self.owner.pat(&["read"]).await,
            OwnerWrites => self.owner.pat(&["write"]).await,
            OwnerFull => self.owner.pat(&["full"]).await,
            Stranger => self.stranger.clone(),
            AdminSession => self.admin.clone(),
            AdminReads => self.admin.pat(&["read"]).await,
            AdminWrites => self.admin.pat(&["write"]).await,
            AdminFull => self.admin.pat(&["full"]).await,
        }
    }
}

fn verdict(door: Door, person: Person, status: StatusCode) -> Verdict {
    match status {
        StatusCode::UNAUTHORIZED => Verdict::SignIn,
        StatusCode::FORBIDDEN => Verdict::Refused,
        StatusCode::NOT_FOUND
            if matches!(door, Own | Account | AccountRead | OwnerOnly | OwnFull) && person == Stranger =>
        {
            Verdict::Refused
        }
        _ => Verdict::In,
    }
}

#[test]
fn every_documented_route_is_in_the_table_once() {
    let routes = documented();
    assert!(routes.len() > 40, "the document lists the routes");
    let known =
        |method: &str, path: &str| TABLE.iter().filter(|row| (row.0, row.1) == (method, path)).count();
    let missing: Vec<String> = routes
        .iter()
        .filter(|(method, path)| known(method, path) != 1)
        .map(|(method, path)| format!("{method} {path}"))
        .collect();
    assert!(missing.is_empty(), "say in TABLE who may use these, once: {missing:#?}");
}

#[tokio::test]
async fn everybody_meets_what_the_table_says() {
    let app = TestApp::start_with(|settings| settings.rate_limits.enabled = false).await;
    let routes = documented();
    let rows =
        TABLE.iter().filter(|row| routes.iter().any(|(m, p)| (m.as_str(), p.as_str()) == (row.0, row.1)));
    let mut wrong = Vec::new();
    let mut number = 0;
    for row in rows {
        let method: Method = row.0.parse().unwrap();
        let body: Option<Value> = (method != Method::GET && method != Method::DELETE).then(|| body(row.1));
        let mut scene = None;
        for person in PEOPLE {
            // What only looks leaves everybody as they were.
            if scene.is_none() || method != Method::GET {
                number += 1;
                scene = Some(Scene::set(&app, number, *row).await);
            }
            let scene = scene.as_ref().unwrap();
            // As a page of the hub sends it, which matters to routes that set cookies.
            let headers = [("content-type", "application/json"), ("sec-fetch-site", "same-origin")];
            let sent = body.as_ref().map(Value::to_string).unwrap_or_default();
            let somebody = scene.as_person(&app, *person).await;
            let status = somebody.having(method.clone(), &scene.path, &headers, sent).await.status;
            let (met, right) = (verdict(row.2, *person, status), expected(row.2, *person));
            if met != right {
                wrong.push(format!("{} {} ({:?}) {person:?}: {status}, not {right:?}", row.0, row.1, row.2));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
