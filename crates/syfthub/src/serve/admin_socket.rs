//! The hub's side of `{data-dir}/admin.sock`: the few commands that an operator gives to a running hub.
//! Who may open the socket (mode 0600) is the operator; nothing else is checked.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use axum::extract::{Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use syfthub_backend::App as Backend;
use syfthub_backend::oauth::operator::{ClientsAnswer, ClientsCommand};
use syfthub_backend::operator::Ring;
use syfthub_web::ApiResult;
use tokio::net::UnixListener;

use crate::admin_client::SOCKET_NAME;

/// What `POST /admins` reads.
#[derive(Debug, Deserialize)]
struct NewAdmin {
    username: String,
    email: String,
    full_name: Option<String>,
    password: String,
}

/// What `PUT /settings` reads; without a value the setting gets its default again.
#[derive(Debug, Deserialize)]
struct NewSetting {
    name: String,
    value: Option<String>,
}

/// Opens the socket, replacing one that a killed process left behind. The caller holds the data
/// directory's lock, so nobody else is listening. It gets its name only when it is closed to others.
pub(super) fn bind(data_dir: &Path) -> anyhow::Result<UnixListener> {
    let path = data_dir.join(SOCKET_NAME);
    let next = data_dir.join("admin.sock.new");
    // Usually there is none.
    let _ = std::fs::remove_file(&next);
    let listener =
        UnixListener::bind(&next).with_context(|| format!("cannot listen on {}", path.display()))?;
    std::fs::set_permissions(&next, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&next, &path).with_context(|| format!("cannot replace {}", path.display()))?;
    Ok(listener)
}

/// The routes of the socket.
pub(super) fn router(backend: Backend) -> Router {
    Router::new()
        .route("/admins", get(list_admins).post(create_admin))
        .route("/admins/{username}/promote", post(promote))
        .route("/admins/{username}/demote", post(demote))
        .route("/settings", get(list_settings).put(set_setting))
        .route("/keys", get(list_keys))
        .route("/keys/rotate", post(rotate_key))
        .route("/keys/retire", post(retire_key))
        .route("/clients", post(clients))
        .with_state(backend)
}

async fn list_admins(State(backend): State<Backend>) -> ApiResult<Json<Value>> {
    Ok(Json(json!({ "admins": backend.list_admins().await? })))
}

async fn create_admin(State(backend): State<Backend>, Json(new): Json<NewAdmin>) -> ApiResult<Json<Value>> {
    let full_name = new.full_name.as_deref().unwrap_or(&new.username);
    let user = backend.create_admin(&new.username, &new.email, full_name, &new.password.into()).await?;
    Ok(Json(json!({ "username": user.username, "id": user.id })))
}

async fn promote(
    State(backend): State<Backend>,
    axum::extract::Path(username): axum::extract::Path<String>,
) -> ApiResult<Json<Value>> {
    backend.promote(&username).await?;
    Ok(Json(json!({ "username": username })))
}

async fn demote(
    State(backend): State<Backend>,
    axum::extract::Path(username): axum::extract::Path<String>,
) -> ApiResult<Json<Value>> {
    backend.demote(&username).await?;
    Ok(Json(json!({ "username": username })))
}

async fn list_settings(State(backend): State<Backend>) -> Json<Vec<(String, String, bool)>> {
    Json(backend.settings())
}

async fn set_setting(State(backend): State<Backend>, Json(new): Json<NewSetting>) -> ApiResult<Json<Value>> {
    backend.set_setting(&new.name, new.value.as_deref()).await?;
    Ok(Json(json!({ "name": new.name })))
}

/// What `POST /keys/rotate` reads.
#[derive(Debug, Deserialize)]
struct Rotation {
    now: bool,
    #[serde(default)]
    ring: Ring,
}

/// What `POST /keys/retire` reads.
#[derive(Debug, Deserialize)]
struct Retirement {
    kid: String,
    force: bool,
    #[serde(default)]
    ring: Ring,
}

/// Which keys.
#[derive(Debug, Deserialize)]
struct Which {
    #[serde(default)]
    ring: Ring,
}

async fn list_keys(State(backend): State<Backend>, Query(which): Query<Which>) -> ApiResult<Json<Value>> {
    Ok(Json(json!({ "keys": backend.ring_keys(which.ring).await? })))
}

async fn rotate_key(State(backend): State<Backend>, Json(how): Json<Rotation>) -> ApiResult<Json<Value>> {
    Ok(Json(json!({ "keys": backend.rotate_ring(how.ring, how.now).await? })))
}

async fn retire_key(State(backend): State<Backend>, Json(which): Json<Retirement>) -> ApiResult<Json<Value>> {
    Ok(Json(json!({ "keys": backend.retire_in(which.ring, &which.kid, which.force).await? })))
}

/// What `POST /clients` reads: a command about clients of the authorization server, and the client to be made.
#[derive(Debug, Deserialize)]
struct ClientsCall {
    command: ClientsCommand,
    body: Option<Value>,
}

async fn clients(
    State(backend): State<Backend>,
    Json(call): Json<ClientsCall>,
) -> ApiResult<Json<ClientsAnswer>> {
    Ok(Json(backend.clients_command(&call.command, call.body).await?))
}
