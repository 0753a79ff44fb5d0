//! The HTTP routes.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use syfthub_web::{ApiResult, ClientIp};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Call, Invoke, TENANT};
use crate::access::Viewer;
use crate::limits::{Limits, Scope};
use crate::router::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(invoke))
}

/// Call an endpoint through the hub
///
/// The body goes to the endpoint as it is, the caller's credential does not. The answer comes back as it is, as a
/// stream if it is one, and with `X-Proxy-Latency-Ms`. Other statuses than those below are the endpoint's own.
#[utoipa::path(post, path = "/{owner}/{slug}", tag = "owner pages", security((), ("bearer" = [])),
    params(("owner" = String, Path, description = "The owner's name"), ("slug" = String, Path, description = "The endpoint's slug"),
        ("X-Tenant-Name" = Option<String>, Header, description = "Which of several tenants at the endpoint's address is meant")),
    request_body(content = Value, description = "Any JSON; what the endpoint understands is its owner's choice", example = json!({"query": "What is new?", "limit": 5})),
    responses((status = 200, description = "The endpoint's answer; `{\"raw_response\": text}` if it is no JSON", body = Value),
        (status = 400, description = "Not called: it has no domain or connection, is behind a tunnel, or the body is no JSON"),
        (status = 401), (status = 403, description = "The endpoint refused, or its address is one that the hub does not call"),
        (status = 404), (status = 408), (status = 413), (status = 429), (status = 502),
        (status = 503, description = "Too many large bodies are on their way through the hub; try again after `Retry-After`"),
        (status = 504),
        (status = "4XX", description = "The endpoint's own status"), (status = "5XX", description = "The endpoint's own status")))]
async fn invoke(
    State(limits): State<Arc<Limits>>,
    State(invoke): State<Arc<Invoke>>,
    ClientIp(ip): ClientIp,
    Viewer(viewer): Viewer,
    Path((owner, slug)): Path<(String, String)>,
    request: Request,
) -> ApiResult<Response> {
    limits.check(Scope::Invoke, ip).await?;
    let tenant = request.headers().get(TENANT).cloned();
    // In a box: the call holds both heads and bodies.
    Ok(Box::pin(invoke.call(viewer.as_ref(), Call { owner, slug, tenant, request })).await?)
}
