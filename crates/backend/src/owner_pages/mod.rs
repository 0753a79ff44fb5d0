//! `/{owner}` and `/{owner}/{slug}`: JSON for programs, a plain page for people.

mod page;
mod readme;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, header};
use syfthub_auth::Principal;
use syfthub_domain::Error;
use syfthub_web::{ApiResult, QueryFields};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::Viewer;
use crate::endpoints::routes::page as read_page;
use crate::endpoints::wire::{EndpointPublic, FullEndpoint};
use crate::endpoints::{Endpoints, mapper, visibility};
use crate::router::AppState;
use crate::users::Users;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(owner)).routes(routes!(endpoint))
}

/// Signs of a browser in the user agent, for clients that say nothing useful in `Accept`.
const BROWSERS: &[&str] = &["Mozilla", "Chrome", "Safari", "Firefox", "Edge"];

/// Whether a person is looking. What `Accept` names decides; the user agent only if it names neither.
fn wants_html(headers: &HeaderMap) -> bool {
    let text =
        |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
    let accept = text(header::ACCEPT);
    if accept.contains("text/html") {
        return true;
    }
    if accept.contains("application/json") {
        return false;
    }
    BROWSERS.iter().any(|name| text(header::USER_AGENT).contains(name))
}

fn varied(mut answer: Response) -> Response {
    answer.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept, User-Agent"));
    answer
}

/// There is nothing here for this viewer, in words for a person or in JSON for a program.
fn refused(error: Error, headers: &HeaderMap) -> ApiResult<Response> {
    if wants_html(headers) { Ok(varied(page::refused(&error))) } else { Err(error.into()) }
}

/// An owner's endpoints: the public ones, and all active ones for the owner
#[utoipa::path(get, path = "/{owner}", tag = "owner pages", security((), ("bearer" = [])),
    params(("owner" = String, Path, description = "The owner's name"), ("skip" = Option<u32>, Query, description = "Endpoints to leave out", minimum = 0, maximum = 10_000_000),
        ("limit" = Option<u32>, Query, description = "Endpoints to show; 10 if it is left out", minimum = 1, maximum = 100)),
    responses((status = 200, description = "JSON for programs, a page for browsers", content((Vec<EndpointPublic> = "application/json"), (String = "text/html"))), (status = 404), (status = 422)))]
async fn owner(
    State(users): State<Arc<Users>>,
    State(endpoints): State<Arc<Endpoints>>,
    Viewer(viewer): Viewer,
    headers: HeaderMap,
    Path(name): Path<String>,
    QueryFields(mut query): QueryFields,
) -> ApiResult<Response> {
    let page = read_page(&mut query, 10, 100);
    query.finish()?;
    let owner = match users.public(&name).await {
        Ok(owner) => owner,
        Err(error) if error.code.http_status() == 404 => {
            return refused(Error::not_found(format!("'{name}' not found")), &headers);
        }
        Err(error) => return Err(error.into()),
    };
    let page = page.unwrap_or_default();
    let items = endpoints.of_owner(&owner, viewer.as_ref(), page).await?;
    Ok(varied(if wants_html(&headers) {
        page::owner(&owner, &items, page)
    } else {
        Json(mapper::public_list(&items, viewer.as_ref())).into_response()
    }))
}

/// One endpoint: with all its facts for its owner and admins
#[utoipa::path(get, path = "/{owner}/{slug}", tag = "owner pages", security((), ("bearer" = [])),
    params(("owner" = String, Path, description = "The owner's name"), ("slug" = String, Path, description = "The endpoint's slug")),
    responses((status = 200, description = "JSON for programs, a page for browsers", content((FullEndpoint = "application/json"), (String = "text/html"))), (status = 401), (status = 404)))]
async fn endpoint(
    State(endpoints): State<Arc<Endpoints>>,
    Viewer(viewer): Viewer,
    headers: HeaderMap,
    Path((owner, slug)): Path<(String, String)>,
) -> ApiResult<Response> {
    let viewer = viewer.as_ref();
    let Some(item) = endpoints.by_path(&owner, &slug, viewer).await? else {
        return refused(hidden(&endpoints, &owner, &slug, viewer).await?, &headers);
    };
    Ok(varied(if wants_html(&headers) {
        page::endpoint(&item, &mapper::public(&item, viewer))
    } else if visibility::may_edit(&item, viewer) {
        Json(mapper::full(&item, viewer)).into_response()
    } else {
        Json(mapper::public(&item, viewer)).into_response()
    }))
}

/// A guest is asked to sign in where signing in could help; a user learns nothing.
async fn hidden(
    endpoints: &Endpoints,
    owner: &str,
    slug: &str,
    viewer: Option<&Principal>,
) -> syfthub_domain::Result<Error> {
    let exists = viewer.is_none() && endpoints.is_hidden(owner, slug).await?;
    Ok(if exists {
        Error::unauthenticated("Authentication required to access this endpoint")
    } else {
        Error::not_found("Owner or endpoint not found")
    })
}
