//! The service under test, and people who use it.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use syfthub_auth::MasterKey;
use syfthub_backend::{App, Deps, Letter, Mailer, SendError};
use syfthub_cache::Cache;
use syfthub_config::{MailProvider, Secret, Settings};
use syfthub_domain::{FixedClock, Timestamp};
use syfthub_store::Db;
use tower::ServiceExt as _;

/// A password that every rule takes.
pub(crate) const PASSWORD: &str = "correct horse 1";

/// The backend on a database of its own.
pub(crate) struct TestApp {
    pub(crate) app: App,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) settings: Settings,
    pub(crate) db: Db,
    pub(crate) cache: Cache,
    router: Router,
    mails: Arc<Recorder>,
    folder: Arc<tempfile::TempDir>,
}

/// Keeps mails instead of sending them.
#[derive(Debug, Default)]
pub(crate) struct Recorder(Mutex<Vec<Letter>>);

#[async_trait::async_trait]
impl Mailer for Recorder {
    async fn send(&self, letter: &Letter) -> Result<(), SendError> {
        self.0.lock().unwrap().push(letter.clone());
        Ok(())
    }
}

/// Somebody who sends requests, with a credential or without.
#[derive(Clone)]
pub(crate) struct Actor {
    router: Router,
    pub(crate) token: Option<String>,
    pub(crate) refresh: String,
    pub(crate) id: i64,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts with settings that differ from the usual ones.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let mut settings = Settings::for_tests(folder.path());
        change(&mut settings);
        let clock = FixedClock::new(Timestamp::from_secs(1_800_000_000));
        let cache = Cache::memory(clock.clone());
        Box::pin(Self::on(settings, clock, cache, folder)).await
    }

    /// Starts on a PostgreSQL database, where several changes go on at the same time.
    pub(crate) async fn start_on_postgres() -> Self {
        let url = syfthub_testing::postgres::shared().await.fresh_database().await;
        Self::start_with(|settings| settings.database = syfthub_testing::postgres_settings(&url)).await
    }

    async fn on(
        settings: Settings,
        clock: Arc<FixedClock>,
        cache: Cache,
        folder: Arc<tempfile::TempDir>,
    ) -> Self {
        let db = Db::connect(&settings.database).await.unwrap();
        db.migrate().await.unwrap();
        let master = MasterKey::new(&settings.secrets.secret_key);
        let deps = Deps { db: db.clone(), cache: cache.clone(), clock: clock.clone(), master };
        let mails = Arc::new(Recorder::default());
        // Other providers are tested with servers of their own.
        let instead = matches!(settings.mail.provider, MailProvider::Log).then(|| Arc::clone(&mails) as _);
        let app = App::build_with(&settings, deps, instead).await.unwrap();
        let router = app.router();
        Self { app, clock, settings, db, cache, router, mails, folder }
    }

    /// A second process on the same database and cache.
    pub(crate) async fn replica(&self) -> Self {
        Self::on(self.settings.clone(), self.clock.clone(), self.cache.clone(), Arc::clone(&self.folder))
            .await
    }

    /// The same with changed settings.
    pub(crate) async fn restarted_with(&self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.settings.clone();
        change(&mut settings);
        Self::on(settings, self.clock.clone(), self.cache.clone(), Arc::clone(&self.folder)).await
    }

    /// A second process on the same database whose cache is a Redis that is not there.
    pub(crate) async fn without_cache(&self) -> Self {
        let nowhere = syfthub_config::Redis { url: Secret::new("redis://127.0.0.1:1/0") };
        let cache = Cache::redis(&nowhere, "backend").unwrap();
        Self::on(self.settings.clone(), self.clock.clone(), cache, Arc::clone(&self.folder)).await
    }

    /// Starts with a mail provider whose mails can be read with [`TestApp::mail_to`].
    pub(crate) async fn start_with_mail() -> Self {
        Self::start_with(|settings| settings.mail.provider = MailProvider::Log).await
    }

    /// The mails that this process has sent.
    pub(crate) fn sent_mail(&self) -> Vec<Letter> {
        self.mails.0.lock().unwrap().clone()
    }

    /// The `number`th mail (from 1) that this process sends to an address; waits for it.
    pub(crate) async fn mail_to(&self, email: &str, number: usize) -> Letter {
        let find = || self.sent_mail().into_iter().filter(|letter| letter.to == email).nth(number - 1);
        syfthub_testing::wait::until(async || find().is_some(), "a mail").await;
        find().unwrap()
    }

    pub(crate) fn anon(&self) -> Actor {
        Actor { router: self.router.clone(), token: None, refresh: String::new(), id: 0 }
    }

    pub(crate) fn with_token(&self, token: &str) -> Actor {
        Actor { token: Some(token.to_owned()), ..self.anon() }
    }

    /// The service, a guest, and a new user.
    pub(crate) async fn with_user(self, name: &str) -> (Self, Actor, Actor) {
        let user = self.user(name).await;
        let anon = self.anon();
        (self, anon, user)
    }

    /// Registers a user.
    pub(crate) async fn user(&self, name: &str) -> Actor {
        let body = json!({"username": name, "email": format!("{name}@example.com"), "full_name": name, "password": PASSWORD});
        let made = self.anon().post("/api/v1/auth/register", &body).await.expect(StatusCode::CREATED);
        self.actor_of(&made)
    }

    /// An administrator who has signed in.
    pub(crate) async fn admin(&self) -> Actor {
        let password = Secret::new(PASSWORD);
        self.app.create_admin("root-1", "root@example.com", "Root", &password).await.unwrap();
        let body = format!("username=root-1&password={}", PASSWORD.replace(' ', "+"));
        let signed_in = self.anon().form("/api/v1/auth/login", &body).await.expect(StatusCode::OK);
        self.actor_of(&signed_in)
    }

    /// A further administrator who has signed in.
    pub(crate) async fn another_admin(&self, name: &str) -> Actor {
        let password = Secret::new(PASSWORD);
        self.app.create_admin(name, &format!("{name}@example.com"), "Root", &password).await.unwrap();
        let body = format!("username={name}&password={}", PASSWORD.replace(' ', "+"));
        let signed_in = self.anon().form("/api/v1/auth/login", &body).await.expect(StatusCode::OK);
        self.actor_of(&signed_in)
    }

    pub(crate) fn actor_of(&self, auth: &Value) -> Actor {
        Actor {
            router: self.router.clone(),
            token: auth["access_token"].as_str().map(str::to_owned),
            refresh: auth["refresh_token"].as_str().unwrap_or_default().to_owned(),
            id: auth["user"]["id"].as_i64().unwrap_or_default(),
        }
    }
}

impl Actor {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PATCH, path, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.raw(request.body(body).unwrap()).await
    }

    pub(crate) async fn form(&self, path: &str, body: &str) -> Answer {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.raw(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    pub(crate) async fn get_with(&self, path: &str, name: &str, value: &str) -> Answer {
        self.raw(Request::get(path).header(name, value).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn raw(&self, mut request: Request<Body>) -> Answer {
        if let Some(token) = &self.token {
            request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        }
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = answer.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(head.headers.contains_key("x-correlation-id"), "every answer has a correlation id");
        Answer { status: head.status, headers: head.headers, text }
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|why| panic!("{why}: {}", self.text))
    }

    /// The body, if the status is the expected one.
    #[track_caller]
    pub(crate) fn expect(&self, status: StatusCode) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// `detail` of an error.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.json()["detail"].clone()
    }

    /// Names of the refused fields.
    #[track_caller]
    pub(crate) fn refused_fields(&self) -> Vec<String> {
        let detail = self.refused(422);
        let name = |field: &Value| field["loc"].as_array().unwrap().last().unwrap().to_string();
        detail.as_array().unwrap().iter().map(|field| name(field).trim_matches('"').to_owned()).collect()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}
