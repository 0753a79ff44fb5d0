//! Google as far as the hub sees it: a set of keys, and tokens signed with them.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use syfthub_auth::jws::sign_rs256;
use syfthub_auth::keys::SigningKey;
use syfthub_config::{GoogleSignIn, Settings};
use syfthub_domain::{Clock as _, FixedClock};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::actor::{Actor, Answer, TestApp};

pub(super) const CLIENT_ID: &str = "1234-hub.apps.googleusercontent.com";
pub(super) const PATH: &str = "/api/v1/auth/google";

/// Two keys for all tests: making one takes a moment.
pub(super) static KEYS: LazyLock<[Arc<SigningKey>; 2]> =
    LazyLock::new(|| [(); 2].map(|()| Arc::new(SigningKey::generate().unwrap())));

#[derive(Default)]
struct Published {
    set: Mutex<Value>,
    asked: AtomicUsize,
    broken: AtomicBool,
}

/// The provider. It ends with the test.
pub(crate) struct FakeGoogle {
    published: Arc<Published>,
    url: String,
    _server: JoinSet<()>,
}

async fn certs(State(published): State<Arc<Published>>) -> (StatusCode, HeaderMap, Json<Value>) {
    published.asked.fetch_add(1, Ordering::SeqCst);
    let status =
        if published.broken.load(Ordering::SeqCst) { StatusCode::BAD_GATEWAY } else { StatusCode::OK };
    let life = HeaderValue::from_static("public, max-age=3600, must-revalidate");
    let set = published.set.lock().unwrap().clone();
    (status, HeaderMap::from_iter([(header::CACHE_CONTROL, life)]), Json(set))
}

impl FakeGoogle {
    /// Starts with the first of the keys.
    pub(crate) async fn start() -> Self {
        let published = Arc::new(Published::default());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/certs", listener.local_addr().unwrap());
        let router = Router::new().route("/certs", get(certs)).with_state(Arc::clone(&published));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        let google = Self { published, url, _server: server };
        google.publish(&KEYS[..1]);
        google
    }

    pub(super) fn publish(&self, keys: &[Arc<SigningKey>]) {
        let keys: Vec<Value> = keys.iter().map(|key| key.public().jwk()).collect();
        self.publish_raw(json!({"keys": keys}));
    }

    pub(super) fn publish_raw(&self, set: Value) {
        *self.published.set.lock().unwrap() = set;
    }

    pub(super) fn break_down(&self, broken: bool) {
        self.published.broken.store(broken, Ordering::SeqCst);
    }

    /// How often its keys were fetched.
    pub(super) fn asked(&self) -> usize {
        self.published.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn configure(&self, settings: &mut Settings) {
        let jwks_url = self.url.parse().unwrap();
        settings.sign_in.google = Some(GoogleSignIn { client_id: CLIENT_ID.to_owned(), jwks_url });
    }

    /// A hub where people sign in with this provider.
    pub(super) async fn hub() -> (TestApp, Self) {
        let google = Self::start().await;
        let app = TestApp::start_with(|settings| google.configure(settings)).await;
        (app, google)
    }
}

/// What Google says of somebody.
pub(super) fn claims(clock: &FixedClock, subject: &str, email: &str) -> Value {
    let now = clock.now().as_secs();
    json!({
        "iss": "https://accounts.google.com", "azp": CLIENT_ID, "aud": CLIENT_ID, "sub": subject, "email": email,
        "email_verified": true, "name": "Ada Lovelace", "picture": "https://pictures.example/ada.png",
        "iat": now, "exp": now + 3600,
    })
}

/// A token with these claims, changed, under the first key.
pub(super) fn token(mut claims: Value, change: &Value) -> String {
    claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    sign_rs256(&KEYS[0], claims.to_string().as_bytes()).unwrap()
}

/// A good token.
pub(crate) fn good(app: &TestApp, subject: &str, email: &str) -> String {
    token(claims(&app.clock, subject, email), &json!({}))
}

pub(super) async fn bring(anon: &Actor, credential: &str) -> Answer {
    anon.post(PATH, &json!({"credential": credential})).await
}
