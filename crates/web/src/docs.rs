//! The API documents: `/openapi.json`, Swagger UI at `/docs`, ReDoc at `/redoc`. Everything comes from the
//! binary; a content policy keeps the pages from loading anything from elsewhere.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use http::{HeaderName, HeaderValue, header};
use serde_json::Value;
use syfthub_domain::{Error, Result};

use crate::error::{ApiError, ApiResult};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; \
    frame-ancestors 'self'; base-uri 'none'; form-action 'none'";

const SWAGGER_PAGE: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>SyftHub API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" href="/docs/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"#;

const SWAGGER_START: &str = r##"window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
"##;

const REDOC_PAGE: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>SyftHub API reference</title>
<style>body { margin: 0; }</style>
</head>
<body>
<div id="redoc"></div>
<script src="/redoc/redoc.standalone.js"></script>
<script src="/redoc/start.js"></script>
</body>
</html>
"#;

const REDOC_START: &str = r#"const fonts = "system-ui, sans-serif";
Redoc.init(
  "/openapi.json",
  { theme: { typography: { fontFamily: fonts, headings: { fontFamily: fonts } } } },
  document.getElementById("redoc"),
);
"#;

static REDOC_BUNDLE: &[u8] = include_bytes!("../../../assets/vendor/redoc/redoc.standalone.js");

/// The pages and the document itself.
pub fn router(openapi: &utoipa::openapi::OpenApi) -> Result<Router> {
    let document = serde_json::to_vec(openapi).map_err(Error::internal)?;
    Ok(routes(document.into()))
}

/// The same for a document that was put together as JSON.
pub fn router_of_json(openapi: &Value) -> Result<Router> {
    let document = serde_json::to_vec(openapi).map_err(Error::internal)?;
    Ok(routes(document.into()))
}

fn routes(document: Bytes) -> Router {
    Router::new()
        .route("/openapi.json", get(openapi))
        .route("/docs", get(|| async { page(SWAGGER_PAGE) }))
        .route("/docs/", get(|| async { page(SWAGGER_PAGE) }))
        .route("/docs/start.js", get(|| async { script(SWAGGER_START) }))
        .route("/docs/{file}", get(swagger_file))
        .route("/redoc", get(|| async { page(REDOC_PAGE) }))
        .route("/redoc/", get(|| async { page(REDOC_PAGE) }))
        .route("/redoc/start.js", get(|| async { script(REDOC_START) }))
        .route("/redoc/redoc.standalone.js", get(redoc_bundle))
        .with_state(document)
}

async fn openapi(State(document): State<Bytes>) -> Response {
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")], document)
        .into_response()
}

fn page(html: &'static str) -> Response {
    let policy: (HeaderName, HeaderValue) =
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    ([policy], Html(html)).into_response()
}

fn script(text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], text).into_response()
}

async fn swagger_file(Path(file): Path<String>) -> ApiResult<Response> {
    let config = Arc::new(utoipa_swagger_ui::Config::from("/openapi.json"));
    let found = utoipa_swagger_ui::serve(&file, config)
        .map_err(|error| Error::internal(error.to_string()))?
        .ok_or_else(|| ApiError::from(Error::not_found("Not Found")))?;
    let kind = HeaderValue::from_str(&found.content_type).map_err(Error::internal)?;
    Ok(kept([(header::CONTENT_TYPE, kind)], found.bytes.into_owned().into()))
}

async fn redoc_bundle() -> Response {
    let kind = HeaderValue::from_static("text/javascript; charset=utf-8");
    kept([(header::CONTENT_TYPE, kind)], Bytes::from_static(REDOC_BUNDLE))
}

/// Assets change with the binary only, but their names do not, so browsers keep them for an hour.
fn kept(kind: [(HeaderName, HeaderValue); 1], bytes: Bytes) -> Response {
    (kind, [(header::CACHE_CONTROL, "public, max-age=3600")], bytes).into_response()
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn no_page_names_another_host() {
        for text in [SWAGGER_PAGE, SWAGGER_START, REDOC_PAGE, REDOC_START] {
            // An address needs a scheme, or two slashes at its beginning.
            for address in ["://", "\"//", "'//", "`//", "(//", "=//"] {
                assert!(!text.contains(address), "{address} in {text}");
            }
        }
    }

    #[test]
    fn the_vendored_bundle_is_the_one_that_its_note_describes() {
        let note = include_str!("../../../assets/vendor/redoc/README.md");
        assert!(note.contains(&hex::encode(Sha256::digest(REDOC_BUNDLE))));
    }
}
