//! Dynamic registration (RFC 7591) and its management (RFC 7592).

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use syfthub_domain::ErrorCode;
use syfthub_proto::oauth as wire;
use syfthub_web::{Bearer, ClientIp};

use super::error::{OAuthError, OAuthResult};
use super::metadata::{Metadata, Proof};
use super::{OAuth, secrets};

/// Start of every id that is given here.
const ID_PREFIX: &str = "client_";
/// Start of secrets and of the tokens that manage a registration.
const SECRET_PREFIX: &str = "syft_cs_";
const MANAGE_PREFIX: &str = "syft_crt_";

/// Registers a client.
pub(super) async fn register(
    State(oauth): State<OAuth>,
    client: ClientIp,
    body: Bytes,
) -> OAuthResult<Response> {
    oauth.0.limits.register(client).await?;
    let metadata = accepted(&body)?;
    let secret = (metadata.proof() == Proof::Secret).then(|| secrets::random(SECRET_PREFIX));
    let manage = secrets::random(MANAGE_PREFIX);
    let new = wire::Client {
        client_id: secrets::random(ID_PREFIX).expose().to_owned(),
        kind: wire::ClientKind::Registered.into(),
        metadata_json: metadata.to_json(),
        secret_hash: secret.as_ref().map(|secret| secrets::hash(secret.expose())).unwrap_or_default(),
        registration_token_hash: secrets::hash(manage.expose()),
        ..wire::Client::default()
    };
    let stored =
        oauth.0.hub.register_client(wire::RegisterClientRequest { client: Some(new.clone()) }).await?;
    let stored = stored.client.unwrap_or(new);
    tracing::info!(client_id = stored.client_id, name = metadata.name(), "oauth.client.registered");
    let mut told = described(&oauth, &stored, metadata);
    told.insert("registration_access_token".to_owned(), json!(manage.expose()));
    if let Some(secret) = secret {
        told.insert("client_secret".to_owned(), json!(secret.expose()));
        told.insert("client_secret_expires_at".to_owned(), json!(0));
    }
    Ok(unkept(StatusCode::CREATED, told))
}

/// Tells a client what is known of it.
pub(super) async fn read(
    State(oauth): State<OAuth>,
    Path(id): Path<String>,
    from: ClientIp,
    bearer: Bearer,
) -> OAuthResult<Response> {
    let stored = managed(&oauth, from, &id, bearer).await?;
    let metadata = Metadata::stored(&stored.metadata_json).ok_or_else(gone)?;
    Ok(unkept(StatusCode::OK, described(&oauth, &stored, metadata)))
}

/// Replaces what is known of a client. How it proves who it is stays as it is.
pub(super) async fn replace(
    State(oauth): State<OAuth>,
    Path(id): Path<String>,
    from: ClientIp,
    bearer: Bearer,
    body: Bytes,
) -> OAuthResult<Response> {
    let stored = managed(&oauth, from, &id, bearer).await?;
    let given: Value = parsed(&body)?;
    let names = |key: &str| given.get(key).and_then(Value::as_str);
    if names("client_id") != Some(&id) {
        return Err(OAuthError::invalid_request("client_id in the body must be that of the address"));
    }
    if names("client_secret").is_some_and(|secret| !secrets::is_of(secret, &stored.secret_hash)) {
        return Err(OAuthError::invalid_request("client_secret in the body is not that of this client"));
    }
    let metadata = accepted(&body)?;
    let before = Metadata::stored(&stored.metadata_json).ok_or_else(gone)?;
    if metadata.proof() != before.proof() {
        let text = "token_endpoint_auth_method cannot change between none, a secret and a key; register anew";
        return Err(OAuthError::new("invalid_client_metadata", text));
    }
    let change = wire::UpdateClientRequest {
        client_id: id,
        metadata_json: metadata.to_json(),
        secret_hash: Vec::new(),
    };
    oauth.0.hub.update_client(change).await?;
    Ok(unkept(StatusCode::OK, described(&oauth, &stored, metadata)))
}

/// Takes a client away, with everything that it was granted.
pub(super) async fn remove(
    State(oauth): State<OAuth>,
    Path(id): Path<String>,
    from: ClientIp,
    bearer: Bearer,
) -> OAuthResult<Response> {
    managed(&oauth, from, &id, bearer).await?;
    match oauth.0.hub.delete_client(wire::DeleteClientRequest { client_id: id }).await {
        Err(error) if error.code != ErrorCode::NotFound => Err(error.into()),
        _ => Ok((StatusCode::NO_CONTENT, [(header::CACHE_CONTROL, "no-store")]).into_response()),
    }
}

fn parsed(body: &[u8]) -> OAuthResult<Value> {
    let text = "The body must be a JSON object with client metadata";
    serde_json::from_slice(body).map_err(|_| OAuthError::new("invalid_client_metadata", text))
}

fn accepted(body: &[u8]) -> OAuthResult<Metadata> {
    let refused = |(code, text)| OAuthError::new(code, text);
    Metadata::accept(&parsed(body)?, "client_secret_basic").map_err(refused)
}

/// The client, if the token is the one that manages it. Nobody learns whether an id exists.
async fn managed(oauth: &OAuth, from: ClientIp, id: &str, bearer: Bearer) -> OAuthResult<wire::Client> {
    oauth.0.limits.program(from).await?;
    let Some(token) = bearer.0 else { return Err(gone()) };
    let found = oauth.0.hub.client(id).await?;
    let is_of = |client: &wire::Client| secrets::is_of(token.expose(), &client.registration_token_hash);
    found.filter(is_of).ok_or_else(gone)
}

fn gone() -> OAuthError {
    OAuthError::invalid_token("This token does not manage a client with this id")
}

fn described(oauth: &OAuth, stored: &wire::Client, metadata: Metadata) -> Map<String, Value> {
    let mut told = Map::new();
    let id = &stored.client_id;
    told.insert("client_id".to_owned(), json!(id));
    told.insert("client_id_issued_at".to_owned(), json!(stored.created_at));
    told.extend(metadata.into_keys());
    let address = oauth.urls().at(&format!("/oauth/register/{id}"));
    told.insert("registration_client_uri".to_owned(), json!(address));
    told
}

/// An answer that may hold a secret.
pub(super) fn unkept(status: StatusCode, body: Map<String, Value>) -> Response {
    let headers = [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::PRAGMA, HeaderValue::from_static("no-cache")),
    ];
    (status, headers, Json(Value::Object(body))).into_response()
}
