//! The layers that every service has around its routes.

use std::any::Any;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::Method;
use syfthub_config::Settings;
use syfthub_domain::{Error, ErrorCode};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;

use crate::access_log::{self, AccessLog};
use crate::client_ip::{self, TrustedProxies};
use crate::error::ApiError;
use crate::{correlation, cors, fallback, measure};

/// Time until the head of an answer; streams may go on longer.
pub const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);

/// What a service's layers need to know.
#[derive(Debug, Clone)]
pub struct Stack {
    /// Networks whose `X-Real-IP` is believed.
    pub trusted_proxies: TrustedProxies,
    /// Origins that browsers may call from.
    pub cors_origins: Vec<String>,
    /// Paths that browsers may call from every origin, instead of all paths from the listed ones.
    pub open_paths: Option<cors::OpenPaths>,
    /// What is logged of requests and answers.
    pub access_log: AccessLog,
    /// Largest request body, in bytes.
    pub body_limit: usize,
    /// Time until the head of an answer.
    pub request_timeout: Duration,
    /// More time for some requests, by method and path.
    pub longer_requests: Option<LongerRequests>,
}

/// The time that a request with this method and path may take, if it is another than that of all.
pub type LongerRequests = fn(&Method, &str) -> Option<Duration>;

impl Stack {
    /// From the settings.
    pub fn new(settings: &Settings) -> Self {
        Self {
            trusted_proxies: TrustedProxies::new(&settings.http.trusted_proxies),
            cors_origins: settings.public.cors_origins.clone(),
            open_paths: None,
            access_log: AccessLog {
                request_headers: settings.log.request_headers,
                request_body: settings.log.request_body,
                response_body: settings.log.response_body,
            },
            body_limit: settings.http.body_limit,
            request_timeout: REQUEST_TIMEOUT,
            longer_requests: None,
        }
    }

    /// The same with another limit until the head of an answer.
    #[must_use]
    pub fn with_request_timeout(mut self, limit: Duration) -> Self {
        self.request_timeout = limit;
        self
    }

    /// The same with more time for some requests.
    #[must_use]
    pub fn with_longer_requests(mut self, longer: LongerRequests) -> Self {
        self.longer_requests = Some(longer);
        self
    }

    /// The same with another largest body.
    #[must_use]
    pub fn with_body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// The same with other origins.
    #[must_use]
    pub fn with_cors_origins(mut self, origins: &[String]) -> Self {
        self.cors_origins = origins.to_vec();
        self
    }

    /// The same with some paths open to scripts of every origin and all others to none.
    #[must_use]
    pub fn with_open_paths(mut self, is_open: cors::OpenPaths) -> Self {
        self.open_paths = Some(is_open);
        self
    }

    /// Wraps all routes of a service: JSON answers for unknown paths, then (from the inside) time limit,
    /// body limit, panics, paths with U+0000, metrics, access log, client address, CORS, correlation.
    pub fn wrap(&self, router: Router) -> Router {
        // One layer that holds all of them, the outermost first: every `Router::layer` puts another box around
        // each route, and all boxes are cloned for every request.
        let layers = ServiceBuilder::new()
            .layer(from_fn(correlation::layer))
            .option_layer(self.open_paths.is_none().then(|| cors::layer(&self.cors_origins)))
            .option_layer(self.open_paths.map(|is_open| from_fn_with_state(is_open, cors::by_path)))
            .layer(from_fn_with_state(self.trusted_proxies.clone(), client_ip::layer))
            .layer(from_fn_with_state((self.access_log, self.request_timeout), access_log::layer))
            .layer(from_fn(measure::layer))
            .layer(from_fn(no_nul))
            .layer(CatchPanicLayer::custom(panicked))
            .layer(DefaultBodyLimit::max(self.body_limit))
            .layer(from_fn_with_state((self.request_timeout, self.longer_requests), time_limit));
        fallback::with_json_fallbacks(router).layer(layers)
    }
}

/// Nothing has a name with U+0000 in it, and no database takes the question: 404 before anything asks.
/// In a path it can only be written as `%00`.
async fn no_nul(request: Request, next: Next) -> Response {
    if request.uri().path().contains("%00") {
        return fallback::not_found(request).await;
    }
    next.run(request).await
}

async fn time_limit(
    State((usual, longer)): State<(Duration, Option<LongerRequests>)>,
    request: Request,
    next: Next,
) -> Response {
    let limit = longer.and_then(|longer| longer(request.method(), request.uri().path())).unwrap_or(usual);
    let answer = tokio::time::timeout(limit, next.run(request)).await;
    answer.unwrap_or_else(|_| {
        let text = "The server did not finish this request in time; try again";
        ApiError::from(Error::new(ErrorCode::UpstreamTimeout, text)).into_response()
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that CatchPanicLayer asks for")]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic
        .downcast_ref::<&'static str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without text".to_owned());
    ApiError::from(Error::internal(format!("panic in a handler: {text}"))).into_response()
}
