//! `/api/v1/errors` and `/api/v1/admin/errors`.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{DefaultBodyLimit, State};
use http::{HeaderMap, StatusCode};
use syfthub_domain::{Error, Timestamp, UserId};
use syfthub_store::error_logs::{ErrorLogFilter, NewErrorLog};
use syfthub_web::{ApiResult, ClientIp, Fields, JsonBody, PathId, QueryFields};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::recorder::Teller;
use super::wire::{ErrorReport, ErrorReportDetail, FrontendReport, Receipt, ServiceReport};
use super::{ErrorReports, input};
use crate::access::{Admin, Viewer};
use crate::limits::{Limits, Scope};
use crate::paging::{Numbered, Paged};
use crate::router::AppState;

/// Largest report, in bytes.
const MAX_BODY: usize = 64 * 1024;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    let open = OpenApiRouter::new()
        .routes(routes!(report))
        .routes(routes!(service_report))
        .layer(DefaultBodyLimit::max(MAX_BODY));
    OpenApiRouter::new().routes(routes!(list_errors)).routes(routes!(get_error)).merge(open)
}

/// Report a fault of the web app
#[utoipa::path(post, path = "/api/v1/errors/report", tag = "errors", security((), ("bearer" = [])), request_body = FrontendReport,
    responses((status = 202, body = Receipt), (status = 413), (status = 415), (status = 422), (status = 429)))]
async fn report(
    State(limits): State<Arc<Limits>>,
    State(reports): State<Arc<ErrorReports>>,
    ClientIp(ip): ClientIp,
    Viewer(viewer): Viewer,
    JsonBody(body): JsonBody,
) -> ApiResult<(StatusCode, Json<Receipt>)> {
    limits.check(Scope::ErrorReport, ip).await?;
    let mut row = input::frontend(body, reports.clock.now())?;
    row.user_id = viewer.map(|viewer| viewer.user_id);
    Ok(taken(&reports, row))
}

/// Report a fault of one of the hub's own services; 404 from outside
#[utoipa::path(post, path = "/api/v1/errors/service-report", tag = "errors", request_body = ServiceReport,
    responses((status = 202, body = Receipt), (status = 404), (status = 413), (status = 415), (status = 422),
        (status = 429)))]
async fn service_report(
    State(limits): State<Arc<Limits>>,
    State(reports): State<Arc<ErrorReports>>,
    ClientIp(ip): ClientIp,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> ApiResult<(StatusCode, Json<Receipt>)> {
    if !is_inside(ip) || !forwarded_inside(&headers) {
        return Err(Error::not_found("Not Found").into());
    }
    limits.check(Scope::ServiceReport, ip).await?;
    Ok(taken(&reports, input::service(body)?))
}

fn taken(reports: &ErrorReports, row: NewErrorLog) -> (StatusCode, Json<Receipt>) {
    let correlation_id = row.correlation_id.clone();
    reports.record(Teller::Outside, row);
    (StatusCode::ACCEPTED, Json(Receipt { received: true, correlation_id }))
}

/// Whether an address is on this machine or in a private network, where our services are.
fn is_inside(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local(),
    }
}

/// Whether every address that a proxy wrote down is inside too. A proxy that nobody declared as trusted stands in a
/// private network itself, so its own address proves nothing about whom it speaks for.
fn forwarded_inside(headers: &HeaderMap) -> bool {
    ["x-real-ip", "x-forwarded-for"].into_iter().flat_map(|name| headers.get_all(name)).all(|value| {
        let mut addresses = value.to_str().unwrap_or_default().split(',');
        addresses.all(|address| address.trim().parse().is_ok_and(is_inside))
    })
}

/// Error reports, newest first
#[utoipa::path(get, path = "/api/v1/admin/errors", tag = "admin", security(("bearer" = [])),
    params(
        ("page" = Option<i64>, Query, minimum = 1, maximum = 1_000_000, description = "Number of the page, from 1"),
        ("page_size" = Option<i64>, Query, minimum = 1, maximum = 100, description = "Rows of a page, 20 by default"),
        ("correlation_id" = Option<String>, Query, max_length = 36, description = "Of this request"),
        ("service" = Option<String>, Query, max_length = 50, description = "Reported by this service"),
        ("event" = Option<String>, Query, max_length = 100, description = "With this event"),
        ("user_id" = Option<i64>, Query, description = "That happened to this user"),
        ("since" = Option<String>, Query, format = DateTime, description = "At this time or later, RFC 3339"),
        ("until" = Option<String>, Query, format = DateTime, description = "Before this time, RFC 3339")),
    responses((status = 200, body = Paged<ErrorReport>), (status = 401), (status = 403), (status = 422)))]
async fn list_errors(
    State(reports): State<Arc<ErrorReports>>,
    Admin(_caller): Admin,
    QueryFields(mut query): QueryFields,
) -> ApiResult<Json<Paged<ErrorReport>>> {
    let page = Numbered::read(&mut query);
    let filter = wanted(&mut query);
    query.finish()?;
    let (rows, total) = reports.list(&filter, page.rows()).await?;
    Ok(Json(page.with(rows.into_iter().map(ErrorReport::from).collect(), total)))
}

fn wanted(query: &mut Fields) -> ErrorLogFilter {
    let mut text = |key: &str, longest: usize| {
        query.string(key).trimmed().length(0, longest).optional().filter(|text| !text.is_empty())
    };
    let (correlation_id, service, event) =
        (text("correlation_id", 36), text("service", 50), text("event", 100));
    let mut time = |key: &str| {
        let read = |text: &str| Timestamp::parse(text).ok_or_else(|| "must be an RFC 3339 time".to_owned());
        query.string(key).parse(read).optional()
    };
    let (since, until) = (time("since"), time("until"));
    let user_id = query.int("user_id").optional().map(UserId);
    ErrorLogFilter { correlation_id, service, event, user_id, since, until }
}

/// One error report with all that is known
#[utoipa::path(get, path = "/api/v1/admin/errors/{id}", tag = "admin", security(("bearer" = [])),
    params(("id" = i64, Path, description = "Row id of the report")),
    responses((status = 200, body = ErrorReportDetail), (status = 401), (status = 403), (status = 404),
        (status = 422)))]
async fn get_error(
    State(reports): State<Arc<ErrorReports>>,
    Admin(_caller): Admin,
    PathId(id): PathId,
) -> ApiResult<Json<ErrorReportDetail>> {
    Ok(Json(reports.get(id).await?.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_and_private_networks_are_inside() {
        for (address, inside) in [
            ("127.0.0.1", true),
            ("::1", true),
            ("10.1.2.3", true),
            ("172.18.0.4", true),
            ("192.168.1.1", true),
            ("::ffff:10.0.0.1", true),
            ("fd00::1", true),
            ("203.0.113.9", false),
            ("172.32.0.1", false),
            ("2001:db8::1", false),
            ("0.0.0.0", false),
        ] {
            assert_eq!(is_inside(address.parse().unwrap()), inside, "{address}");
        }
    }
}
