//! Layer: the security headers of the edge. Only the process that faces clients adds them (nginx in
//! front of several services does so itself).

use axum::Router;
use axum::middleware::map_response;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use url::Url;

const POLICY: &str = "default-src 'self'; img-src 'self' data: https:; style-src 'self' 'unsafe-inline'; \
    script-src 'self'; connect-src 'self'; frame-ancestors 'self'; base-uri 'self'; form-action 'self'; object-src 'none'";

/// The headers, for an edge that writes them itself.
#[derive(Debug, Clone, Copy)]
pub struct SecurityHeaders {
    https: bool,
}

impl SecurityHeaders {
    /// HSTS only when the public address is HTTPS: on plain HTTP it would lock people out of other software
    /// on the same host.
    pub fn new(public: &Url) -> Self {
        Self { https: public.scheme() == "https" }
    }

    /// Adds them to the headers of an answer. A page with a policy of its own (the API documents) keeps it.
    pub fn apply(self, headers: &mut HeaderMap) {
        let mut set = |name: HeaderName, value: &'static str| {
            headers.entry(name).or_insert(HeaderValue::from_static(value));
        };
        if self.https {
            set(header::STRICT_TRANSPORT_SECURITY, "max-age=63072000; includeSubDomains");
        }
        set(header::X_FRAME_OPTIONS, "SAMEORIGIN");
        set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        set(header::X_XSS_PROTECTION, "1; mode=block");
        set(header::REFERRER_POLICY, "strict-origin-when-cross-origin");
        set(header::CONTENT_SECURITY_POLICY, POLICY);
    }
}

/// Adds the headers to every answer of `router`.
pub fn security_headers(router: Router, public: &Url) -> Router {
    let headers = SecurityHeaders::new(public);
    router.layer(map_response(move |mut answer: Response| {
        headers.apply(answer.headers_mut());
        std::future::ready(answer)
    }))
}
