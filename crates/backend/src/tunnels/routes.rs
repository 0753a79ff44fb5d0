//! `/api/v1/users/me/tunnel-credentials`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::header;
use syfthub_web::{ApiResult, ClientIp};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Tunnels;
use super::wire::TunnelCredentials;
use crate::access::User;
use crate::audit::Origin;
use crate::limits::{Limits, Scope};
use crate::router::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(credentials))
}

/// A credential for a tunnel to the caller's own service
#[utoipa::path(get, path = "/api/v1/users/me/tunnel-credentials", tag = "users", security(("bearer" = [])),
    responses((status = 200, body = TunnelCredentials), (status = 401), (status = 403), (status = 429),
        (status = 502, description = "The provider failed"),
        (status = 503, description = "Tunnels are not configured on this hub")))]
async fn credentials(
    State(limits): State<Arc<Limits>>,
    State(tunnels): State<Arc<Tunnels>>,
    ClientIp(ip): ClientIp,
    User(caller): User,
    origin: Origin,
) -> ApiResult<impl IntoResponse> {
    limits.check_user(Scope::Tunnel, caller.user_id, ip).await?;
    let issued = tunnels.issue(&origin, &caller).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(issued)))
}
