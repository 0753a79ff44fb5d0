//! The HTTP routes.

use utoipa_axum::router::OpenApiRouter;

use crate::router::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
}
