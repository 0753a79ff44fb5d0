//! The documents by which a client finds its way (RFC 9728, RFC 8414, OpenID Connect Discovery 1.0).

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use syfthub_auth::public_jwk::ALGORITHMS;
use syfthub_domain::{Error, ErrorCode};
use syfthub_web::ApiError;

use super::error::OAuthResult;
use super::metadata::{GRANT_TYPES, METHODS, PROVING_METHODS};
use super::urls::{Resource, Urls};
use super::{OAuth, scopes};

/// Documents change with the settings only, keys with a rotation, which waits longer than this.
const FRESH: &str = "public, max-age=300";

pub(super) async fn resource(State(oauth): State<OAuth>) -> Response {
    fresh(&protected_resource(oauth.urls(), Resource::Mcp))
}

pub(super) async fn resource_at(State(oauth): State<OAuth>, Path(suffix): Path<String>) -> Response {
    match oauth.urls().resource_at(&suffix) {
        Some(resource) => fresh(&protected_resource(oauth.urls(), resource)),
        None => not_found(),
    }
}

pub(super) async fn server(State(oauth): State<OAuth>) -> Response {
    fresh(&authorization_server(oauth.urls()))
}

pub(super) async fn server_at(State(oauth): State<OAuth>, Path(suffix): Path<String>) -> Response {
    if oauth.urls().names_issuer(&suffix) { fresh(&authorization_server(oauth.urls())) } else { not_found() }
}

pub(super) async fn jwks(State(oauth): State<OAuth>) -> OAuthResult<Response> {
    Ok(fresh(&oauth.0.keys.jwks().await?))
}

fn fresh(document: &Value) -> Response {
    ([(header::CACHE_CONTROL, HeaderValue::from_static(FRESH))], Json(document)).into_response()
}

fn not_found() -> Response {
    ApiError::from(Error::new(ErrorCode::NotFound, "There is no document about this")).into_response()
}

fn protected_resource(urls: &Urls, resource: Resource) -> Value {
    let name = match resource {
        Resource::Mcp => "SyftHub",
        Resource::Api => "SyftHub API",
    };
    json!({
        "resource": urls.name_of(resource),
        "authorization_servers": [urls.issuer()],
        "scopes_supported": scopes::of_resource(resource),
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": ALGORITHMS,
        "dpop_bound_access_tokens_required": false,
        "resource_name": name,
        "resource_documentation": format!("{}/build", urls.home()),
    })
}

/// One object for RFC 8414 and `OpenID` Connect. Everything that it names works.
fn authorization_server(urls: &Urls) -> Value {
    json!({
        "issuer": urls.issuer(),
        "authorization_endpoint": urls.at("/oauth/authorize"),
        "token_endpoint": urls.at("/oauth/token"),
        "device_authorization_endpoint": urls.at("/oauth/device_authorization"),
        "pushed_authorization_request_endpoint": urls.at("/oauth/par"),
        "require_pushed_authorization_requests": false,
        "registration_endpoint": urls.at("/oauth/register"),
        "revocation_endpoint": urls.at("/oauth/revoke"),
        "introspection_endpoint": urls.at("/oauth/introspect"),
        "userinfo_endpoint": urls.at("/oauth/userinfo"),
        "jwks_uri": urls.at("/.well-known/jwks.json"),
        "scopes_supported": scopes::all(),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": GRANT_TYPES,
        "token_endpoint_auth_methods_supported": METHODS,
        "token_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "revocation_endpoint_auth_methods_supported": METHODS,
        "revocation_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "introspection_endpoint_auth_methods_supported": PROVING_METHODS,
        "introspection_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "code_challenge_methods_supported": ["S256"],
        "dpop_signing_alg_values_supported": ALGORITHMS,
        "authorization_response_iss_parameter_supported": true,
        "client_id_metadata_document_supported": true,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce",
            "name", "preferred_username", "email", "email_verified",
        ],
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "protected_resources": [urls.name_of(Resource::Mcp), urls.name_of(Resource::Api)],
        "service_documentation": format!("{}/build", urls.home()),
    })
}
