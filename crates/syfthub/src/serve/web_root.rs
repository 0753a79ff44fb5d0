//! The web app's place: the files under `frontend/public`, embedded in the binary. Every path that is
//! not a file answers with the start page, as the web app will need it for its own routes.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::{HeaderValue, Method, StatusCode, header};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "../../frontend/public/"]
struct Files;

/// The page that stands for every path without a file of its own.
const START_PAGE: &str = "index.html";

/// Serves the embedded files.
pub(super) fn router() -> Router {
    Router::new().fallback(any(serve))
}

async fn serve(request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response();
    }
    let path = request.uri().path().trim_start_matches('/');
    let asset = Files::get(path).filter(|_| path != START_PAGE);
    let (file, cache) = match asset {
        // Names carry no hash yet, so browsers have to ask again.
        Some(file) => (file, "public, max-age=3600"),
        None => match Files::get(START_PAGE) {
            Some(page) => (page, "no-cache"),
            None => return StatusCode::NOT_FOUND.into_response(),
        },
    };
    respond(&request, &file, cache)
}

fn respond(request: &Request, file: &EmbeddedFile, cache: &'static str) -> Response {
    let hash = file.metadata.sha256_hash();
    let etag = format!("\"{}\"", hex::encode(&hash[..16]));
    let known =
        request.headers().get(header::IF_NONE_MATCH).is_some_and(|sent| sent.as_bytes() == etag.as_bytes());
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Body::from(file.data.clone().into_owned()).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, etag);
    }
    if let Ok(kind) = HeaderValue::from_str(&content_type(file)) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    response
}

fn content_type(file: &EmbeddedFile) -> String {
    let kind = file.metadata.mimetype();
    if kind.starts_with("text/") { format!("{kind}; charset=utf-8") } else { kind.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    async fn get(path: &str) -> Response {
        router().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn every_unknown_path_is_the_start_page_and_is_never_cached() {
        for path in ["/", "/somebody/something", "/index.html"] {
            let response = get(path).await;
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(response.headers()[header::CACHE_CONTROL], "no-cache", "{path}");
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert!(String::from_utf8_lossy(&body).contains("<title>SyftHub</title>"));
        }
    }

    #[tokio::test]
    async fn files_have_their_type_and_answer_304() {
        let response = get("/assets/start.css").await;
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/css; charset=utf-8");
        let etag = response.headers()[header::ETAG].clone();
        let again = Request::get("/assets/start.css")
            .header(header::IF_NONE_MATCH, etag)
            .body(Body::empty())
            .unwrap();
        assert_eq!(router().oneshot(again).await.unwrap().status(), StatusCode::NOT_MODIFIED);
    }
}
