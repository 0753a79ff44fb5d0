//! The front of the all-in-one hub: what nginx is to the three services. It follows the same route
//! table, so that a path means the same in both.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures::future::{BoxFuture, Either, Ready, ready};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header};
use syfthub_domain::Error;
use syfthub_web::route_table::{Match, Owner, inner_path, route_of};
use syfthub_web::{ApiError, SecurityHeaders};
use tower::{Service, ServiceExt as _};
use url::Url;

/// One router per owner of the table.
#[derive(Debug)]
pub(super) struct Owners {
    pub(super) backend: Router,
    pub(super) aggregator: Router,
    pub(super) mcp: Router,
    pub(super) web_app: Router,
}

/// What is served: finds the owner of a path and writes the security headers.
#[derive(Debug, Clone)]
pub(super) struct Edge {
    owners: Arc<Owners>,
    headers: SecurityHeaders,
    /// The answer to `GET /health`, which probes and balancers ask for all day: its headers but for the
    /// correlation id, and its body.
    healthy: Arc<(HeaderMap, Bytes)>,
}

impl Edge {
    /// The edge of a hub with this public address.
    pub(super) fn new(owners: Owners, public: &Url) -> Self {
        let headers = SecurityHeaders::new(public);
        let body = Bytes::from(syfthub_backend::liveness().to_string());
        let mut prepared = HeaderMap::with_capacity(16);
        prepared.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        prepared.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        headers.apply(&mut prepared);
        Self { owners: Arc::new(owners), headers, healthy: Arc::new((prepared, body)) }
    }

    /// Liveness, without the layers that every other request passes.
    fn liveness(&self, request: &Request<Body>) -> Option<Response<Body>> {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        if !reads || request.uri().path() != "/health" {
            return None;
        }
        let (headers, body) = &*self.healthy;
        let body = if request.method() == Method::HEAD { Body::empty() } else { Body::from(body.clone()) };
        let mut response = Response::new(body);
        *response.headers_mut() = headers.clone();
        syfthub_web::correlation::stamp(request.headers(), response.headers_mut());
        Some(response)
    }

    fn pick(&self, request: &Request<Body>) -> Option<&Router> {
        match route_of(request.uri().path()).owner {
            Owner::Backend => Some(&self.owners.backend),
            Owner::Aggregator => Some(&self.owners.aggregator),
            Owner::Mcp => Some(&self.owners.mcp),
            Owner::WebApp => Some(&self.owners.web_app),
            Owner::Nobody => None,
        }
    }
}

type Answer = Result<Response<Body>, Infallible>;

impl Service<Request<Body>> for Edge {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<Ready<Answer>, BoxFuture<'static, Answer>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let security = self.headers;
        let finished = |mut response: Response<Body>| {
            security.apply(response.headers_mut());
            Either::Left(ready(Ok(response)))
        };
        if let Some(response) = self.liveness(&request) {
            return Either::Left(ready(Ok(response)));
        }
        if is_grpc(&request) {
            return finished(grpc_unimplemented());
        }
        let Some(router) = self.pick(&request).cloned() else {
            return finished(not_found(&request));
        };
        let varies = route_of(request.uri().path()).matches == Match::OwnerPage;
        rewrite_path(&mut request);
        Either::Right(Box::pin(async move {
            let mut response = router.oneshot(request).await?;
            if varies {
                response.headers_mut().append(header::VARY, HeaderValue::from_static("Accept"));
            }
            security.apply(response.headers_mut());
            Ok(response)
        }))
    }
}

/// Cuts the public prefix off, as nginx does.
fn rewrite_path(request: &mut Request<Body>) {
    let path = request.uri().path();
    let inner = inner_path(path);
    if inner == path {
        return;
    }
    let with_query = match request.uri().query() {
        Some(query) => format!("{inner}?{query}"),
        None => inner.to_owned(),
    };
    // A path that was valid stays valid when its front is cut off at a slash.
    if let Ok(uri) = with_query.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
}

fn is_grpc(request: &Request<Body>) -> bool {
    request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// gRPC is between services; a client that tries it here is told so in its own terms (status 12).
fn grpc_unimplemented() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from_static("12"));
    headers.insert("grpc-message", HeaderValue::from_static("gRPC is not served here"));
    response
}

fn not_found(request: &Request<Body>) -> Response<Body> {
    let mut response =
        axum::response::IntoResponse::into_response(ApiError::from(Error::not_found("Not Found")));
    syfthub_web::correlation::stamp(request.headers(), response.headers_mut());
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::extract::Request as AxumRequest;
    use axum::routing::any;
    use http::StatusCode;
    use http_body_util::BodyExt as _;

    fn named(name: &'static str) -> Router {
        Router::new()
            .fallback(any(move |request: AxumRequest| async move { format!("{name} {}", request.uri()) }))
    }

    fn edge() -> Edge {
        let owners = Owners {
            backend: named("backend"),
            aggregator: named("aggregator"),
            mcp: named("mcp"),
            web_app: named("web"),
        };
        Edge::new(owners, &"https://hub.example".parse().unwrap())
    }

    async fn ask(path: &str, accept: &str) -> (StatusCode, String) {
        let request = Request::get(path).header(header::ACCEPT, accept).body(Body::empty()).unwrap();
        let response = edge().oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test]
    async fn paths_reach_their_owner_with_the_prefix_cut_off() {
        for (path, accept, seen) in [
            ("/api/v1/auth/me?x=1", "*/*", "backend /api/v1/auth/me?x=1"),
            ("/aggregator/api/v1/chat?a=b", "*/*", "aggregator /api/v1/chat?a=b"),
            ("/mcp", "*/*", "mcp /mcp"),
            ("/mcp/health", "*/*", "mcp /health"),
            ("/alice/notes", "application/json", "backend /alice/notes"),
            ("/alice/notes", "text/html,*/*", "backend /alice/notes"),
            ("/", "*/*", "web /"),
        ] {
            assert_eq!(ask(path, accept).await.1, seen, "{path} {accept}");
        }
        assert_eq!(ask("/metrics", "*/*").await.0, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn every_answer_has_the_security_headers_once_and_liveness_has_an_id() {
        for path in ["/health", "/metrics", "/api/v1/auth/me", "/"] {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let response = edge().oneshot(request).await.unwrap();
            let headers = response.headers();
            for name in [header::X_CONTENT_TYPE_OPTIONS, header::STRICT_TRANSPORT_SECURITY] {
                assert_eq!(headers.get_all(&name).iter().count(), 1, "{path} {name}");
            }
            assert!(path != "/health" || headers.contains_key("x-correlation-id"));
        }
        let head = Request::head("/health").body(Body::empty()).unwrap();
        let response = edge().oneshot(head).await.unwrap();
        assert_ne!(response.headers()[header::CONTENT_LENGTH], "0");
        assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty());
        let post = Request::post("/health").body(Body::empty()).unwrap();
        let answer = edge().oneshot(post).await.unwrap().into_body().collect().await.unwrap().to_bytes();
        assert!(answer.starts_with(b"backend"), "other methods are backend's affair");
    }

    #[tokio::test]
    async fn grpc_is_refused_in_its_own_terms() {
        let request = Request::post("/syfthub.identity.v1.IdentityService/FindUser")
            .header(header::CONTENT_TYPE, "application/grpc+proto")
            .body(Body::empty())
            .unwrap();
        let response = edge().oneshot(request).await.unwrap();
        assert_eq!(response.headers()["grpc-status"], "12");
    }
}
