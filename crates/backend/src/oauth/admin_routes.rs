//! `/api/v1/admin/oauth/clients`: the clients of the authorization server, for administrators.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::{HeaderValue, StatusCode, header};
use syfthub_web::{ApiResult, JsonBody, QueryFields};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::OAuth;
use super::client_wire::{ClientList, ClientView, NewClientBody};
use super::static_clients::NewStatic;
use crate::access::Admin;
use crate::audit::Origin;
use crate::router::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_clients, make_client))
        .routes(routes!(read_client, remove_client))
        .routes(routes!(change_secret))
}

/// An answer that may hold a secret.
type Unkept<T> = ([(http::HeaderName, HeaderValue); 1], Json<T>);

fn unkept<T>(body: T) -> Unkept<T> {
    ([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(body))
}

/// OAuth clients, newest first
///
/// Those that administrators made and those that registered themselves. Clients that publish a document about themselves
/// are not kept, so they are not here.
#[utoipa::path(get, path = "/api/v1/admin/oauth/clients", tag = "admin settings", security(("bearer" = [])),
    params(
        ("kind" = Option<String>, Query, description = "Only `static` or only `registered` ones", pattern = "^(static|registered)$"),
        ("after" = Option<String>, Query, description = "`next` of the answer before", max_length = 512),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "Clients at most; 100 if not given"),
    ),
    responses((status = 200, body = ClientList), (status = 401), (status = 403), (status = 422)))]
async fn list_clients(
    State(oauth): State<Arc<OAuth>>,
    Admin(_caller): Admin,
    QueryFields(mut query): QueryFields,
) -> ApiResult<Json<ClientList>> {
    let kind = query.string("kind").rule(|kind| match kind.as_str() {
        "static" | "registered" => Ok(()),
        _ => Err("static or registered is expected".to_owned()),
    });
    let kind = kind.optional();
    let after = query.string("after").length(0, 512).optional().filter(|after| !after.is_empty());
    let limit = u32::try_from(query.int("limit").range(1, 200).or(100)).unwrap_or(100);
    query.finish()?;
    let rows = oauth.clients(kind.as_deref(), after.as_deref(), limit).await?;
    let is_full = u32::try_from(rows.len()).is_ok_and(|count| count >= limit);
    let next = rows.last().filter(|_| is_full).map(|row| row.client_id.clone());
    Ok(Json(ClientList { clients: rows.into_iter().map(ClientView::from).collect(), next }))
}

/// Make an OAuth client
///
/// It never ends by itself. Its secret is in the answer and nowhere else.
#[utoipa::path(post, path = "/api/v1/admin/oauth/clients", tag = "admin settings", security(("bearer" = [])),
    request_body = NewClientBody,
    responses((status = 201, body = ClientView), (status = 401), (status = 403),
        (status = 409, description = "There is a client with this id already"), (status = 422)))]
async fn make_client(
    State(oauth): State<Arc<OAuth>>,
    Admin(_caller): Admin,
    origin: Origin,
    JsonBody(body): JsonBody,
) -> ApiResult<(StatusCode, Unkept<ClientView>)> {
    let made = oauth.make_client(&origin, NewStatic::read(body)?).await?;
    Ok((StatusCode::CREATED, unkept(made)))
}

/// One OAuth client
#[utoipa::path(get, path = "/api/v1/admin/oauth/clients/{client_id}", tag = "admin settings", security(("bearer" = [])),
    params(("client_id" = String, Path, description = "Its id", max_length = 512, example = "nightly-report")),
    responses((status = 200, body = ClientView), (status = 401), (status = 403), (status = 404)))]
async fn read_client(
    State(oauth): State<Arc<OAuth>>,
    Admin(_caller): Admin,
    Path(client_id): Path<String>,
) -> ApiResult<Json<ClientView>> {
    Ok(Json(oauth.client(&client_id).await?.into()))
}

/// Remove an OAuth client
///
/// Everything that it was granted, by whomever, ends at once.
#[utoipa::path(delete, path = "/api/v1/admin/oauth/clients/{client_id}", tag = "admin settings", security(("bearer" = [])),
    params(("client_id" = String, Path, description = "Its id", max_length = 512, example = "nightly-report")),
    responses((status = 204), (status = 401), (status = 403), (status = 404)))]
async fn remove_client(
    State(oauth): State<Arc<OAuth>>,
    Admin(_caller): Admin,
    origin: Origin,
    Path(client_id): Path<String>,
) -> ApiResult<StatusCode> {
    oauth.delete_client(&origin, &client_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give an OAuth client another secret
///
/// The secret before is refused from now on, and so are the tokens that the client got with it for itself. What people
/// allowed it stays.
#[utoipa::path(post, path = "/api/v1/admin/oauth/clients/{client_id}/secret", tag = "admin settings",
    security(("bearer" = [])),
    params(("client_id" = String, Path, description = "Its id", max_length = 512, example = "nightly-report")),
    responses((status = 200, body = ClientView), (status = 401), (status = 403), (status = 404),
        (status = 409, description = "The client has no secret, or made it itself")))]
async fn change_secret(
    State(oauth): State<Arc<OAuth>>,
    Admin(_caller): Admin,
    origin: Origin,
    Path(client_id): Path<String>,
) -> ApiResult<Unkept<ClientView>> {
    Ok(unkept(oauth.change_secret(&origin, &client_id).await?))
}
