//! A hub as far as a node sees it: who am I, endpoints, health reports, public keys.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use syfthub_auth::keys::{KeyRing, SigningKey};
use syfthub_auth::satellite::{Claims, mint};
use syfthub_domain::{Clock as _, Role, SystemClock};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// The credential that this hub takes.
pub(crate) const TOKEN: &str = "syft_pat_0123456789012345678901234567890123456789012";

/// What this hub calls itself, which is not the address that it is reached by.
pub(crate) const ISSUER: &str = "https://hub.example.org";

pub(crate) struct FakeHub {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) state: Arc<HubState>,
    tasks: JoinSet<()>,
}

pub(crate) struct HubState {
    ring: KeyRing,
    pub(crate) endpoints: Mutex<BTreeMap<String, Value>>,
    pub(crate) reports: Mutex<Vec<Value>>,
    pub(crate) key_fetches: AtomicU64,
    /// Whether satellite tokens are minted for publishers.
    pub(crate) mints: AtomicBool,
}

impl FakeHub {
    pub(crate) async fn start() -> Self {
        let state = Arc::new(HubState {
            ring: KeyRing::new(Arc::new(SigningKey::generate().unwrap()), Vec::new()),
            endpoints: Mutex::default(),
            reports: Mutex::default(),
            key_fetches: AtomicU64::new(0),
            mints: AtomicBool::new(true),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut hub = Self { address, state, tasks: JoinSet::new() };
        hub.serve(listener);
        hub
    }

    /// An address where no hub is yet; [`FakeHub::arrive`] puts it there.
    pub(crate) async fn absent() -> Self {
        let mut hub = Self::start().await;
        hub.leave().await;
        hub
    }

    fn serve(&mut self, listener: TcpListener) {
        let router = Router::new()
            .route("/api/v1/auth/me", get(me))
            .route("/api/v1/token", get(token))
            .route("/api/v1/endpoints", post(create))
            .route("/api/v1/endpoints/slug/{slug}", patch(update))
            .route("/api/v1/endpoints/health", post(report))
            .route("/.well-known/jwks.json", get(jwks))
            .with_state(self.state.clone());
        self.tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    }

    pub(crate) async fn leave(&mut self) {
        self.tasks.shutdown().await;
    }

    pub(crate) async fn arrive(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.serve(listener);
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes the signing key without keeping the old one.
    pub(crate) fn change_key(&self) {
        self.state.ring.replace(Arc::new(SigningKey::generate().unwrap()), Vec::new());
    }

    /// Claims of a good token for the publisher `ada` (user 7).
    pub(crate) fn claims(subject: &str) -> Claims {
        claims(subject)
    }

    pub(crate) fn sign(&self, claims: &Claims) -> String {
        mint(&self.state.ring.active(), claims).unwrap()
    }

    pub(crate) fn token(&self, subject: &str) -> String {
        self.sign(&Self::claims(subject))
    }

    pub(crate) fn endpoint(&self, slug: &str) -> Option<Value> {
        self.state.endpoints.lock().unwrap().get(slug).cloned()
    }

    pub(crate) fn last_report(&self) -> Option<Value> {
        self.state.reports.lock().unwrap().last().cloned()
    }

    pub(crate) fn key_fetches(&self) -> u64 {
        self.state.key_fetches.load(Ordering::SeqCst)
    }
}

fn claims(subject: &str) -> Claims {
    let now = SystemClock.now().as_secs();
    let role = if subject == "guest" { Role::Guest } else { Role::User };
    Claims {
        sub: subject.to_owned(),
        iss: ISSUER.to_owned(),
        aud: "ada".to_owned(),
        iat: now,
        exp: now + 60,
        role,
    }
}

type Reply = (StatusCode, Json<Value>);

fn allowed(headers: &HeaderMap) -> Result<(), Reply> {
    let given = headers.get("authorization").and_then(|value| value.to_str().ok());
    if given == Some(&format!("Bearer {TOKEN}")) {
        return Ok(());
    }
    Err((StatusCode::UNAUTHORIZED, Json(json!({"detail": "Invalid API token"}))))
}

async fn me(headers: HeaderMap) -> Result<Json<Value>, Reply> {
    allowed(&headers)?;
    Ok(Json(json!({"id": 7, "username": "ada", "email": "ada@example.org"})))
}

async fn token(
    State(hub): State<Arc<HubState>>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Result<Json<Value>, Reply> {
    allowed(&headers)?;
    if !hub.mints.load(Ordering::SeqCst) {
        return Err((StatusCode::NOT_FOUND, Json(json!({"detail": "Not Found"}))));
    }
    assert_eq!(query["aud"], "ada");
    let token = mint(&hub.ring.active(), &claims("7")).unwrap();
    Ok(Json(json!({"target_token": token, "expires_in": 60})))
}

async fn create(
    State(hub): State<Arc<HubState>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Reply, Reply> {
    allowed(&headers)?;
    let slug = body["slug"].as_str().unwrap().to_owned();
    hub.endpoints.lock().unwrap().insert(slug, body.clone());
    Ok((StatusCode::CREATED, Json(body)))
}

async fn update(
    State(hub): State<Arc<HubState>>,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Reply, Reply> {
    allowed(&headers)?;
    assert!(body.get("type").is_none() && body.get("slug").is_none(), "type and slug cannot be changed");
    let mut endpoints = hub.endpoints.lock().unwrap();
    let Some(endpoint) = endpoints.get_mut(&slug) else {
        return Err((StatusCode::NOT_FOUND, Json(json!({"detail": "Endpoint not found"}))));
    };
    for (key, value) in body.as_object().unwrap() {
        endpoint[key] = value.clone();
    }
    Ok((StatusCode::OK, Json(endpoint.clone())))
}

async fn report(
    State(hub): State<Arc<HubState>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Reply> {
    allowed(&headers)?;
    let endpoints = hub.endpoints.lock().unwrap();
    let slugs = body["endpoints"].as_array().unwrap().iter().map(|entry| entry["slug"].as_str().unwrap());
    let ignored = slugs.filter(|slug| !endpoints.contains_key(*slug)).count();
    hub.reports.lock().unwrap().push(body.clone());
    Ok(Json(json!({"updated": 1, "ignored": ignored})))
}

async fn jwks(State(hub): State<Arc<HubState>>) -> Json<Value> {
    hub.key_fetches.fetch_add(1, Ordering::SeqCst);
    Json(hub.ring.jwks())
}
