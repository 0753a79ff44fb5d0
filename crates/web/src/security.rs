//! Layer: the security headers of the edge. Only the process that faces clients adds them (nginx in
//! front of several services does so itself).

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http::{HeaderName, HeaderValue, header};
use url::Url;

const POLICY: &str = "default-src 'self'; img-src 'self' data: https:; style-src 'self' 'unsafe-inline'; \
    script-src 'self'; connect-src 'self'; frame-ancestors 'self'; base-uri 'self'; form-action 'self'; object-src 'none'";

/// Adds the headers to every answer of `router`. HSTS only when the public address is HTTPS: on plain
/// HTTP it would lock people out of other software on the same host.
pub fn security_headers(router: Router, public: &Url) -> Router {
    router.layer(from_fn_with_state(public.scheme() == "https", layer))
}

async fn layer(State(https): State<bool>, request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    let mut set = |name: HeaderName, value: &'static str| {
        // A page with a policy of its own (the API documents) keeps it.
        answer.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    };
    if https {
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=63072000; includeSubDomains");
    }
    set(header::X_FRAME_OPTIONS, "SAMEORIGIN");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_XSS_PROTECTION, "1; mode=block");
    set(header::REFERRER_POLICY, "strict-origin-when-cross-origin");
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    answer
}
