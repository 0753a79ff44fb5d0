//! All routes in one place, with the document that describes them.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRef;
use axum::{Json, Router};
use serde_json::json;
use syfthub_domain::Result;
use syfthub_web::docs;
use syfthub_web::stack::Stack;
use tower::Layer as _;
use tower_http::normalize_path::NormalizePathLayer;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;

use crate::access::Access;
use crate::endpoints::Endpoints;
use crate::identity_provider::IdentityProvider;
use crate::limits::Limits;
use crate::sessions::Sessions;
use crate::setup::Setup;
use crate::tokens::Tokens;
use crate::users::Users;
use crate::{endpoints, health, identity_provider, owner_pages, sessions, setup, tokens, users};

/// The features of the service. A handler names the one that it uses.
#[derive(Debug)]
pub(crate) struct Features {
    pub(crate) access: Arc<Access>,
    pub(crate) users: Arc<Users>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) endpoints: Arc<Endpoints>,
    pub(crate) identity_provider: Arc<IdentityProvider>,
    pub(crate) setup: Arc<Setup>,
    pub(crate) limits: Arc<Limits>,
}

/// What the routes share; a clone is one counter.
#[derive(Debug, Clone)]
pub(crate) struct AppState(pub(crate) Arc<Features>);

impl Deref for AppState {
    type Target = Features;

    fn deref(&self) -> &Features {
        &self.0
    }
}

macro_rules! features {
    ($($field:ident: $feature:ty),+ $(,)?) => {
        $(impl FromRef<AppState> for Arc<$feature> {
            fn from_ref(state: &AppState) -> Self {
                Arc::clone(&state.$field)
            }
        })+
    };
}

features! {
    users: Users,
    sessions: Sessions,
    tokens: Tokens,
    endpoints: Endpoints,
    identity_provider: IdentityProvider,
    setup: Setup,
    limits: Limits,
}

#[derive(utoipa::OpenApi)]
#[openapi(info(
    title = "SyftHub API",
    description = "Publish AI endpoints, find them, trust them, and put them to work.",
    license(name = "Apache-2.0", identifier = "Apache-2.0")
))]
struct Document;

fn documented() -> OpenApiRouter<AppState> {
    let mut document = Document::openapi();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    document.components.get_or_insert_default().security_schemes.insert("bearer".to_owned(), bearer.into());
    OpenApiRouter::with_openapi(document)
        .merge(sessions::routes::routes())
        .merge(tokens::routes::routes())
        .merge(users::routes::routes())
        .merge(endpoints::routes::routes())
        .merge(endpoints::public_routes::routes())
        .merge(identity_provider::routes::routes())
        .merge(setup::routes::routes())
        .merge(owner_pages::routes())
}

/// The OpenAPI 3.1 document of every route.
pub fn openapi() -> OpenApi {
    documented().into_openapi()
}

/// The routes behind the layers that every service has. A trailing slash makes no difference.
pub(crate) fn build(state: AppState, health: health::Health, stack: &Stack) -> Result<Router> {
    let (routes, document) = documented().split_for_parts();
    let routes = routes
        .with_state(state)
        .route("/", axum::routing::get(root))
        .merge(health::routes(health))
        .merge(docs::router(&document)?);
    let wrapped = stack.wrap(routes);
    Ok(Router::new().fallback_service(NormalizePathLayer::trim_trailing_slash().layer(wrapped)))
}

async fn root() -> Json<serde_json::Value> {
    Json(json!({"message": "Welcome to SyftHub", "version": env!("CARGO_PKG_VERSION"), "docs": "/docs"}))
}
