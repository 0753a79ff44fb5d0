//! Shorter words for what many tests do.

use axum::body::Body;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use syfthub_domain::{EndpointType, Slug, UserId, Version, Visibility};
use syfthub_rpc::{Caller, InternalKey, Peer};
use syfthub_store::endpoints::NewEndpoint;

use crate::actor::{Actor, Answer, PASSWORD, TestApp};

/// What the services of this hub share.
const KEY: InternalKey = InternalKey::new([7; 32]);

/// A body that registers `name`.
pub(crate) fn account(name: &str) -> Value {
    json!({"username": name, "email": format!("{name}@example.com"), "full_name": name, "password": PASSWORD})
}

/// The body of an endpoint of type `model`; `more` adds or replaces fields.
pub(crate) fn endpoint(slug: &str, more: Value) -> Value {
    let mut body = json!({"name": slug, "slug": slug, "type": "model"});
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    body
}

/// A row for the store, of type `model`.
pub(crate) fn new_endpoint(owner: UserId, slug: &str) -> NewEndpoint {
    NewEndpoint {
        user_id: owner,
        name: slug.to_owned(),
        slug: Slug::parse(slug).unwrap(),
        description: String::new(),
        kind: EndpointType::Model,
        visibility: Visibility::Public,
        archived: false,
        version: Version::parse("1.0.0").unwrap(),
        readme: String::new(),
        tags: Vec::new(),
        contributors: vec![owner],
        policies: json!([]),
        connect: json!([]),
    }
}

/// One text of every item of a list.
#[track_caller]
pub(crate) fn each(list: &Value, key: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|item| item[key].as_str().unwrap().to_owned()).collect()
}

impl TestApp {
    /// The internal services, called by one of ours.
    pub(crate) fn peer(&self, caller: Caller) -> Peer {
        syfthub_rpc::local(self.app.grpc(), caller, &KEY)
    }
}

impl Actor {
    pub(crate) async fn having(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.raw(request.body(body.into()).unwrap()).await
    }

    /// Sends a form.
    pub(crate) async fn fill(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        self.form(path, &body).await
    }

    pub(crate) async fn login(&self, name: &str, password: &str) -> Answer {
        self.fill("/api/v1/auth/login", &[("username", name), ("password", password)]).await
    }

    /// Publishes an endpoint of type `model`; `more` adds or replaces fields.
    pub(crate) async fn publish(&self, slug: &str, more: Value) -> Value {
        self.post("/api/v1/endpoints", &endpoint(slug, more)).await.expect(StatusCode::CREATED)
    }

    /// Makes a personal access token and gives somebody who holds it.
    pub(crate) async fn pat(&self, scopes: &[&str]) -> Self {
        let body = json!({"name": "test", "scopes": scopes});
        let made = self.post("/api/v1/auth/tokens", &body).await.expect(StatusCode::CREATED);
        let mut holder = self.clone();
        holder.token = made["token"].as_str().map(str::to_owned);
        holder
    }
}

impl Answer {
    /// Checks the status of an answer whatever its body is.
    #[track_caller]
    pub(crate) fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }
}
