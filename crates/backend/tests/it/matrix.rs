//! Who may use which route: one table, executed for everybody there is.
//!
//! A row says what a route needs; a documented route without a row fails the test with its name. What is asked is
//! only whether a request gets past the door: 401 and 403 are "refused", everything else is "let in", also a 404
//! or a 422, because parameters and bodies lead nowhere. Where ownership decides, the row names a real thing of
//! another user, and the refusal may be a 404 that hides it.

pub(crate) mod table;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::actor::{Actor, PASSWORD, TestApp};
use table::Door::{self, Account, AccountRead, Admin, Full, Open, Own, OwnFull, OwnerOnly, Read, Write};
use table::TABLE;

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
    /// The same in a browser, from a script of the hub's own pages.
    OwnerBrowser,
    /// The same cookie, sent by a page that cannot prove where it comes from.
    OwnerCookieAlone,
    /// Another user.
    Stranger,
    StrangerBrowser,
    AdminSession,
    AdminReads,
    AdminWrites,
    AdminFull,
    AdminBrowser,
    AdminCookieAlone,
}

use Person::*;

const PEOPLE: &[Person] = &[
    Anonymous,
    Owner,
    OwnerReads,
    OwnerWrites,
    OwnerFull,
    OwnerBrowser,
    OwnerCookieAlone,
    Stranger,
    StrangerBrowser,
    AdminSession,
    AdminReads,
    AdminWrites,
    AdminFull,
    AdminBrowser,
    AdminCookieAlone,
];

/// Routes that set or end the session of a browser: a page of another site must not do either.
const OF_BROWSERS: &[(&str, &str)] = &[("POST", "/api/v1/auth/session"), ("DELETE", "/api/v1/auth/session")];

impl Person {
    /// Whether a cookie is the credential.
    fn has_cookie(self) -> bool {
        matches!(self, OwnerBrowser | OwnerCookieAlone | StrangerBrowser | AdminBrowser | AdminCookieAlone)
    }

    /// Headers that say where a request comes from.
    fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            OwnerCookieAlone | AdminCookieAlone => &[],
            OwnerBrowser | StrangerBrowser | AdminBrowser => {
                &[("sec-fetch-site", "same-origin"), ("x-requested-with", "fetch")]
            }
            // As a page of the hub sends it, which matters to routes that set cookies.
            _ => &[("sec-fetch-site", "same-origin")],
        }
    }
}

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
fn expected((method, path, door): (&str, &str, Door), person: Person) -> Verdict {
    // A cookie alone reads and changes nothing: where signing in is needed it is refused, elsewhere it is nobody's.
    if matches!(person, OwnerCookieAlone | AdminCookieAlone) && method != "GET" {
        let is_in = door == Open && !OF_BROWSERS.contains(&(method, path));
        return if is_in { Verdict::In } else { Verdict::Refused };
    }
    let stranger = matches!(person, Stranger | StrangerBrowser);
    let reads = matches!(person, OwnerReads | AdminReads);
    let writes = matches!(person, OwnerWrites | AdminWrites);
    let admin = matches!(
        person,
        AdminSession | AdminReads | AdminWrites | AdminFull | AdminBrowser | AdminCookieAlone
    );
    let allowed = match door {
        Open => return Verdict::In,
        _ if person == Anonymous => return Verdict::SignIn,
        Read => true,
        Write => !reads,
        Full => !reads && !writes,
        AccountRead => !stranger && !(admin && (reads || writes)),
        Account => !(stranger || reads || (admin && writes)),
        Own => !reads && !stranger,
        OwnerOnly => !reads && !admin && !stranger,
        OwnFull => !reads && !writes && !stranger,
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
    /// What these three sign in with.
    names: [String; 3],
    path: String,
}

impl Scene {
    async fn set(app: &TestApp, number: usize, row: (&str, &str, Door)) -> Self {
        let names = ["ada", "bob", "root"].map(|name| format!("{name}-{number}"));
        let (owner, stranger) = (app.user(&names[0]).await, app.user(&names[1]).await);
        let admin = app.another_admin(&names[2]).await;
        let (_, path, door) = row;
        let mut path = path.to_owned();
        if matches!(door, Own | Account | AccountRead | OwnerOnly | OwnFull) {
            let id = if path.starts_with("/api/v1/presets/") {
                let slug = format!("preset-{number}");
                let body = json!({"name": "Some", "slug": slug, "model": "mia/writer"});
                owner.post("/api/v1/presets", &body).await.expect(StatusCode::CREATED);
                path = path.replace("{owner}", &names[0]).replace("{slug}", &slug);
                0
            } else if path.starts_with("/api/v1/users/") {
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
        Self { owner, stranger, admin, names, path }
    }

    async fn as_person(&self, app: &TestApp, person: Person) -> Actor {
        match person {
            Owner => self.owner.clone(),
            OwnerReads => self.owner.pat(&["read"]).await,
            OwnerWrites => self.owner.pat(&["write"]).await,
            OwnerFull => self.owner.pat(&["full"]).await,
            Stranger => self.stranger.clone(),
            AdminSession => self.admin.clone(),
            AdminReads => self.admin.pat(&["read"]).await,
            AdminWrites => self.admin.pat(&["write"]).await,
            AdminFull => self.admin.pat(&["full"]).await,
            // A cookie is no token; see `cookie`.
            Anonymous | OwnerBrowser | OwnerCookieAlone | StrangerBrowser | AdminBrowser
            | AdminCookieAlone => app.anon(),
        }
    }

    /// The cookie of a person who has one.
    async fn cookie(&self, app: &TestApp, person: Person) -> Option<String> {
        let name = match person {
            _ if !person.has_cookie() => return None,
            OwnerBrowser | OwnerCookieAlone => &self.names[0],
            StrangerBrowser => &self.names[1],
            _ => &self.names[2],
        };
        let body = json!({"username": name, "password": PASSWORD}).to_string();
        let headers = [("sec-fetch-site", "same-origin"), ("content-type", "application/json")];
        let answer = app.anon().having(Method::POST, "/api/v1/auth/session", &headers, body).await;
        Some(answer.is(200).header("set-cookie").split(';').next().unwrap().to_owned())
    }
}

fn verdict(door: Door, person: Person, status: StatusCode) -> Verdict {
    match status {
        StatusCode::UNAUTHORIZED => Verdict::SignIn,
        StatusCode::FORBIDDEN => Verdict::Refused,
        StatusCode::NOT_FOUND
            if matches!(door, Own | Account | AccountRead | OwnerOnly | OwnFull)
                && matches!(person, Stranger | StrangerBrowser) =>
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
            let mut headers = vec![("content-type", "application/json")];
            headers.extend(person.headers());
            let cookie = scene.cookie(&app, *person).await;
            headers.extend(cookie.as_deref().map(|cookie| ("cookie", cookie)));
            let sent = body.as_ref().map(Value::to_string).unwrap_or_default();
            let somebody = scene.as_person(&app, *person).await;
            let status = somebody.having(method.clone(), &scene.path, &headers, sent).await.status;
            let (met, right) = (verdict(row.2, *person, status), expected(*row, *person));
            if met != right {
                wrong.push(format!("{} {} ({:?}) {person:?}: {status}, not {right:?}", row.0, row.1, row.2));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
