//! `/api/v1/endpoints`: what everybody may browse and search.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use syfthub_auth::Principal;
use syfthub_domain::Error;
use syfthub_store::Page;
use syfthub_store::endpoints::{PublicFilter, Sort};
use syfthub_web::{ApiResult, ClientIp, JsonBody, QueryFields};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::routes::{kind, page};
use super::wire::requests::{EndpointTypeName, SearchRequest};
use super::wire::{EndpointPublic, Grouped, Owners, SearchResponse, SearchResult};
use super::{Endpoints, input, mapper};
use crate::access::Viewer;
use crate::limits::{Limits, Scope};
use crate::router::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(browse))
        .routes(routes!(grouped))
        .routes(routes!(owners))
        .routes(routes!(by_owner))
        .routes(routes!(one))
        .routes(routes!(trending))
        .routes(routes!(guest_accessible))
        .routes(routes!(search))
}

async fn listing(
    endpoints: &Endpoints,
    headers: &HeaderMap,
    viewer: Option<&Principal>,
    filter: &PublicFilter,
    page: Option<Page>,
) -> ApiResult<Response> {
    Ok(endpoints.browse(viewer, filter, page.unwrap_or_default()).await?.respond(headers))
}

/// Public endpoints, last changed first
#[utoipa::path(get, path = "/api/v1/endpoints/public", tag = "browse", security((), ("bearer" = [])),
    params(("skip" = Option<u32>, Query, minimum = 0, maximum = 10_000_000, description = "Rows to leave out"), ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "Rows to return; 10 if not given"), ("endpoint_type" = Option<EndpointTypeName>, Query, description = "Only these; `model` and `data_source` include `model_data_source`"), ("search" = Option<String>, Query, min_length = 1, max_length = 200, description = "Part of the name, description, tags or owner")),
    responses((status = 200, body = Vec<EndpointPublic>), (status = 304), (status = 422)))]
async fn browse(
    State(endpoints): State<Arc<Endpoints>>,
    Viewer(viewer): Viewer,
    headers: HeaderMap,
    QueryFields(mut query): QueryFields,
) -> ApiResult<Response> {
    let page = page(&mut query, 10, 100);
    let kind = kind(&mut query);
    let search = query.string("search").length(1, 200).optional();
    query.finish()?;
    let filter = PublicFilter { kind, search, ..PublicFilter::default() };
    listing(&endpoints, &headers, viewer.as_ref(), &filter, page).await
}

/// Public endpoints by owner
#[utoipa::path(get, path = "/api/v1/endpoints/public/grouped", tag = "browse", security((), ("bearer" = [])),
    params(("max_per_owner" = Option<u32>, Query, minimum = 1, maximum = 50, description = "Endpoints of one owner; 15 if not given")), responses((status = 200, body = Grouped), (status = 422)))]
async fn grouped(
    State(endpoints): State<Arc<Endpoints>>,
    Viewer(viewer): Viewer,
    headers: HeaderMap,
    QueryFields(mut query): QueryFields,
) -> ApiResult<Response> {
    let max = query.int("max_per_owner").range(1, 50).or(15);
    query.finish()?;
    let max = u32::try_from(max).unwrap_or(15);
    Ok(endpoints.grouped(viewer.as_ref(), max).await?.respond(&headers))
}

/// Who has published how much
#[utoipa::path(get, path = "/api/v1/endpoints/public/owners", tag = "browse", security((), ("bearer" = [])),
    params(("skip" = Option<u32>, Query, minimum = 0, maximum = 10_000_000, description = "Rows to leave out"), ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "Rows to return; 100 if not given")), responses((status = 200, body = Owners), (status = 422)))]
async fn owners(
    State(endpoints): State<Arc<Endpoints>>,
    Viewer(_viewer): Viewer,
    headers: HeaderMap,
    QueryFields(mut query): QueryFields,
) -> ApiResult<Response> {
    let page = page(&mut query, 100, 500);
    query.finish()?;
    Ok(endpoints.owners(page.unwrap_or_default()).await?.respond(&headers))
}

/// The public endpoints of one owner; none for an unknown one
#[utoipa::path(get, path = "/api/v1/endpoints/public/by-owner/{owner}", tag = "browse", security((), ("bearer" = [])),
    params(("owner" = String, Path), ("skip" = Option<u32>, Query, minimum = 0, maximum = 10_000_000, description = "Rows to leave out"), ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "Rows to return; 100 if not given")),
    responses((status = 200, body = Vec<EndpointPublic>), (status = 422)))]
async fn by_owner(
    State(endpoints): State<Arc<Endpoints>>,
    Viewer(viewer): Viewer,
    headers: HeaderMap,
    Path(owner): Path<String>,
    QueryFields(mut query): QueryFields,
) -> ApiResult<Response> {
    let page = page(&mut query, 100, 500);
    query.finish()?;
    let filter = PublicFilter { owner: Some(owner.to_lowercase()), ..PublicFilter::default() };
    listing(&endpoints, &headers, viewer.as_ref(), &filter, page).await
}

/// One public endpoint
#[utoipa::path(get, path = "/api/v1/endpoints/public/{owner}/{slug}", tag = "browse", security((), ("bearer" = [])),
    params(("owner" = String, Path), ("slug" = String, Path)),
    responses((status = 200, body = EndpointPublic), (status = 404)))]
async fn one(
    State(endpoints): State<Arc<Endpoints>>,
    Viewer(viewer): Viewer,
    Path((owner, slug)): Path<(String, String)>,
) -> ApiResult<Json<EndpointPublic>> {
    let found = endpoints.by_path(&owner, &slug, viewer.as_ref()).await?;
    let item = found.filter(syfthub_store::endpoints::EndpointWithOwner::is_listed);
    let item = item.ok_or_else(|| Error::not_found("Endpoint not found"))?;
    Ok(Json(mapper::public(&item, viewer.as_ref())))
}

/// Public endpoints, most stars first
#[utoipa::path(get, path = "/api/v1/endpoints/trending", tag = "browse", security((), ("bearer" = [])),
    params(("skip" = Option<u32>, Query, minimum = 0, maximum = 10_000_000, description = "Rows to leave out"), ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "Rows to return; 10 if not given"), ("min_stars" = Option<i64>, Query, minimum = 0, maximum = 9_223_372_036_854_775_807i64, description = "Only with so many stars"), ("endpoint_type" = Option<EndpointTypeName>, Query, description = "Only these; `model` and `data_source` include `model_data_source`")),
    responses((status = 200, body = Vec<EndpointPublic>), (status = 422)))]
async fn trending(
    State(endpoints): State<Arc<Endpoints>>,
    Viewer(viewer): Viewer,
    headers: HeaderMap,
    QueryFields(mut query): QueryFields,
) -> ApiResult<Response> {
    let page = page(&mut query, 10, 100);
    let kind = kind(&mut query);
    let min_stars = query.int("min_stars").at_least(0).optional();
    query.finish()?;
    let filter = PublicFilter { kind, min_stars, sort: Sort::Stars, ..PublicFilter::default() };
    listing(&endpoints, &headers, viewer.as_ref(), &filter, page).await
}

/// Public endpoints without any policy, so that guests may use them
#[utoipa::path(get, path = "/api/v1/endpoints/guest-accessible", tag = "browse", security((), ("bearer" = [])),
    params(("skip" = Option<u32>, Query, minimum = 0, maximum = 10_000_000, description = "Rows to leave out"), ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "Rows to return; 10 if not given"), ("endpoint_type" = Option<EndpointTypeName>, Query, description = "Only these; `model` and `data_source` include `model_data_source`")),
    responses((status = 200, body = Vec<EndpointPublic>), (status = 422)))]
async fn guest_accessible(
    State(endpoints): State<Arc<Endpoints>>,
    Viewer(viewer): Viewer,
    headers: HeaderMap,
    QueryFields(mut query): QueryFields,
) -> ApiResult<Response> {
    let page = page(&mut query, 10, 100);
    let kind = kind(&mut query);
    query.finish()?;
    let filter = PublicFilter { kind, guest_accessible: true, ..PublicFilter::default() };
    listing(&endpoints, &headers, viewer.as_ref(), &filter, page).await
}

/// Search public endpoints, best first
#[utoipa::path(post, path = "/api/v1/endpoints/search", tag = "browse", security((), ("bearer" = [])),
    request_body = SearchRequest,
    responses((status = 200, body = SearchResponse), (status = 422), (status = 429)))]
async fn search(
    State(limits): State<Arc<Limits>>,
    State(endpoints): State<Arc<Endpoints>>,
    ClientIp(ip): ClientIp,
    Viewer(viewer): Viewer,
    JsonBody(body): JsonBody,
) -> ApiResult<Json<SearchResponse>> {
    limits.check(Scope::Search, ip).await?;
    let search = input::search(body)?;
    let hits = endpoints.search(&search.query, search.top_k, search.kind).await?;
    let results: Vec<SearchResult> = hits
        .iter()
        .map(|hit| SearchResult {
            card: mapper::card(&hit.item, viewer.as_ref()),
            relevance_score: hit.score,
        })
        .collect();
    Ok(Json(SearchResponse { total: results.len(), results, query: search.query }))
}
