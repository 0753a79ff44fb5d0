//! `/api/v1/admin/settings` and `/api/v1/admin/invitations`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use syfthub_web::{ApiResult, JsonBody, QueryFields};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::invitations::Wanted;
use super::wire::{HubSettingsChange, HubSettingsView, Invitation, MadeInvitation, NewInvitationBody};
use super::{Change, HubSettings};
use crate::access::Admin;
use crate::audit::Origin;
use crate::endpoints::routes::page;
use crate::router::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(read, change))
        .routes(routes!(invitations, invite))
        .routes(routes!(withdraw))
}

fn view(settings: &HubSettings) -> Json<HubSettingsView> {
    let (hub, overrides) = settings.effective();
    Json(HubSettingsView::of(&hub, &overrides))
}

/// The hub's settings
#[utoipa::path(get, path = "/api/v1/admin/settings", tag = "admin settings", security(("bearer" = [])),
    responses((status = 200, body = HubSettingsView), (status = 401), (status = 403)))]
async fn read(State(settings): State<Arc<HubSettings>>, Admin(_caller): Admin) -> Json<HubSettingsView> {
    view(&settings)
}

/// Change the hub's settings
///
/// What is not sent stays as it is; `null` falls back to the default of the environment. Every process of the hub
/// follows at once.
#[utoipa::path(patch, path = "/api/v1/admin/settings", tag = "admin settings", security(("bearer" = [])),
    request_body = HubSettingsChange,
    responses((status = 200, body = HubSettingsView), (status = 401), (status = 403), (status = 409), (status = 422)))]
async fn change(
    State(settings): State<Arc<HubSettings>>,
    Admin(_caller): Admin,
    origin: Origin,
    JsonBody(body): JsonBody,
) -> ApiResult<Json<HubSettingsView>> {
    settings.change(&origin, &Change::read(body)?).await?;
    Ok(view(&settings))
}

/// Invitations to register, the newest first
#[utoipa::path(get, path = "/api/v1/admin/invitations", tag = "admin settings", security(("bearer" = [])),
    params(
        ("skip" = Option<u32>, Query, description = "Rows left out at the front", minimum = 0, maximum = 10_000_000),
        ("limit" = Option<u32>, Query, description = "Rows at most; 100 if not given", minimum = 1, maximum = 500)),
    responses((status = 200, body = Vec<Invitation>), (status = 401), (status = 403), (status = 422)))]
async fn invitations(
    State(settings): State<Arc<HubSettings>>,
    Admin(_caller): Admin,
    QueryFields(mut query): QueryFields,
) -> ApiResult<Json<Vec<Invitation>>> {
    let page = page(&mut query, 100, 500);
    query.finish()?;
    Ok(Json(settings.invitations(page.unwrap_or_default()).await?))
}

/// Invite somebody to register; the code is in the answer and nowhere else
#[utoipa::path(post, path = "/api/v1/admin/invitations", tag = "admin settings", security(("bearer" = [])),
    request_body = NewInvitationBody,
    responses((status = 201, body = MadeInvitation), (status = 401), (status = 403), (status = 422)))]
async fn invite(
    State(settings): State<Arc<HubSettings>>,
    Admin(caller): Admin,
    origin: Origin,
    JsonBody(body): JsonBody,
) -> ApiResult<(StatusCode, Json<MadeInvitation>)> {
    let made = settings.invite(&origin, &caller, Wanted::read(body)?).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Withdraw an invitation; accounts that were made with it stay
#[utoipa::path(delete, path = "/api/v1/admin/invitations/{id}", tag = "admin settings", security(("bearer" = [])),
    params(("id" = String, Path, description = "Id of the invitation", format = "uuid")),
    responses((status = 204), (status = 401), (status = 403), (status = 404)))]
async fn withdraw(
    State(settings): State<Arc<HubSettings>>,
    Admin(_caller): Admin,
    origin: Origin,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    settings.withdraw(&origin, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
