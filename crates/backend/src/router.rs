//! All routes in one place, with the document that describes them.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::{FromRef, State};
use axum::{Json, Router};
use serde_json::json;
use syfthub_domain::Result;
use syfthub_web::docs;
use syfthub_web::stack::Stack;
use tower::Layer as _;
use tower_http::normalize_path::NormalizePathLayer;
use utoipa::OpenApi as _;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;

use crate::access::Access;
use crate::accounting::Accounting;
use crate::aggregators::Aggregators;
use crate::audit::Audit;
use crate::collectives::Collectives;
use crate::conversations::Conversations;
use crate::directory::standing::Standings;
use crate::endpoints::Endpoints;
use crate::error_reports::ErrorReports;
use crate::feedback::Feedback;
use crate::hub_settings::HubSettings;
use crate::identity_provider::IdentityProvider;
use crate::invoke::Invoke;
use crate::limits::Limits;
use crate::mail::Mail;
use crate::monitor::Monitor;
use crate::oauth::OAuth;
use crate::peers::Peers;
use crate::presets::Presets;
use crate::sessions::Sessions;
use crate::setup::Setup;
use crate::sign_in_providers::SignInProviders;
use crate::statistics::Statistics;
use crate::tokens::Tokens;
use crate::tunnels::Tunnels;
use crate::usage::Usage;
use crate::users::Users;
use crate::verification::Verification;
use crate::wallet::Wallet;
use crate::{
    accounting, aggregators, api_document, audit, collectives, conversations, endpoints, error_reports,
    feedback, health, hub_settings, identity_provider, invoke, mail, monitor, oauth, owner_pages, peers,
    presets, sessions, setup, sign_in_providers, statistics, tokens, tunnels, usage, users, verification,
    wallet,
};

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
    pub(crate) aggregators: Arc<Aggregators>,
    pub(crate) accounting: Arc<Accounting>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) collectives: Arc<Collectives>,
    pub(crate) conversations: Arc<Conversations>,
    pub(crate) error_reports: Arc<ErrorReports>,
    pub(crate) feedback: Arc<Feedback>,
    pub(crate) hub_settings: Arc<HubSettings>,
    pub(crate) invoke: Arc<Invoke>,
    pub(crate) mail: Arc<Mail>,
    pub(crate) monitor: Arc<Monitor>,
    pub(crate) oauth: Arc<OAuth>,
    pub(crate) peers: Arc<Peers>,
    pub(crate) presets: Arc<Presets>,
    pub(crate) sign_in_providers: Arc<SignInProviders>,
    pub(crate) standings: Arc<Standings>,
    pub(crate) statistics: Arc<Statistics>,
    pub(crate) tunnels: Arc<Tunnels>,
    pub(crate) usage: Arc<Usage>,
    pub(crate) verification: Arc<Verification>,
    pub(crate) wallet: Arc<Wallet>,
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
    aggregators: Aggregators,
    accounting: Accounting,
    audit: Audit,
    collectives: Collectives,
    conversations: Conversations,
    error_reports: ErrorReports,
    feedback: Feedback,
    hub_settings: HubSettings,
    invoke: Invoke,
    mail: Mail,
    monitor: Monitor,
    oauth: OAuth,
    peers: Peers,
    presets: Presets,
    sign_in_providers: SignInProviders,
    standings: Standings,
    statistics: Statistics,
    tunnels: Tunnels,
    usage: Usage,
    verification: Verification,
    wallet: Wallet,
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
    document
        .components
        .get_or_insert_default()
        .security_schemes
        .insert(api_document::BEARER.to_owned(), bearer.into());
    OpenApiRouter::with_openapi(document)
        .merge(sessions::routes::routes())
        .merge(sessions::own_routes::routes())
        .merge(tokens::routes::routes())
        .merge(users::routes::routes())
        .merge(endpoints::routes::routes())
        .merge(endpoints::public_routes::routes())
        .merge(identity_provider::routes::routes())
        .merge(setup::routes::routes())
        .merge(owner_pages::routes())
        .merge(aggregators::routes::routes())
        .merge(accounting::routes::routes())
        .merge(audit::routes::routes())
        .merge(collectives::routes::routes())
        .merge(conversations::routes::routes())
        .merge(error_reports::routes::routes())
        .merge(feedback::routes::routes())
        .merge(hub_settings::routes::routes())
        .merge(invoke::routes::routes())
        .merge(mail::routes::routes())
        .merge(monitor::routes::routes())
        .merge(oauth::routes::routes())
        .merge(peers::routes::routes())
        .merge(presets::routes::routes())
        .merge(sign_in_providers::routes::routes())
        .merge(sign_in_providers::github_routes::routes())
        .merge(sign_in_providers::own_routes::routes())
        .merge(statistics::routes::routes())
        .merge(tunnels::routes::routes())
        .merge(usage::routes::routes())
        .merge(verification::routes::routes())
        .merge(wallet::routes::routes())
}

/// The OpenAPI 3.1 document of every route.
pub fn openapi() -> serde_json::Value {
    api_document::complete(documented().get_openapi())
}

/// The routes behind the layers that every service has. A trailing slash makes no difference.
pub(crate) fn build(state: AppState, health: health::Health, stack: &Stack) -> Result<Router> {
    let reports = Arc::clone(&state.error_reports);
    let (routes, document) = documented().split_for_parts();
    let routes = routes
        .layer(axum::middleware::from_fn(audit::origin::layer))
        .layer(axum::middleware::from_fn(syfthub_web::dpop::challenged))
        .route("/", axum::routing::get(root))
        .with_state(state)
        .merge(health::routes(health))
        .merge(docs::router_of_json(&api_document::complete(&document))?);
    let wrapped = stack.wrap(routes);
    let observed = axum::middleware::from_fn_with_state(reports, error_reports::observe::layer);
    Ok(Router::new()
        .fallback_service(NormalizePathLayer::trim_trailing_slash().layer(wrapped))
        .layer(observed))
}

async fn root(State(hub): State<Arc<HubSettings>>) -> Json<serde_json::Value> {
    let message = format!("Welcome to {}", hub.current().instance_name);
    Json(json!({"message": message, "version": env!("CARGO_PKG_VERSION"), "docs": "/docs"}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_openapi_3_1_with_the_version_of_the_program() {
        let document = openapi();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    }

    #[test]
    fn every_operation_has_a_name_of_its_own_a_summary_and_an_answer() {
        let document = openapi();
        let mut seen = std::collections::BTreeSet::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                assert!(operation["summary"].is_string(), "{method} {path} says nothing");
                assert!(!operation["responses"].as_object().unwrap().is_empty(), "{method} {path}");
                let name = operation["operationId"].as_str().unwrap().to_owned();
                assert!(seen.insert(name.clone()), "{method} {path}: {name} is used twice");
            }
        }
    }
}
