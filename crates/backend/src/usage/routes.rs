//! `/api/v1/usage`.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use syfthub_auth::Principal;
use syfthub_domain::{EndpointPath, Timestamp};
use syfthub_store::Page;
use syfthub_store::usage::{Filter, GroupBy, UsageLine, View};
use syfthub_web::{ApiResult, Fields, QueryFields};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire::{UsageFigures, UsageGroup, UsageReport};
use super::{KEPT, Usage, hour_of};
use crate::access::User;
use crate::router::AppState;

/// The span that is shown when the request names none.
const USUAL: Duration = Duration::from_hours(24 * 30);
/// Longest text that names an endpoint.
const MAX_PATH: usize = 114;
/// Most groups of a page, and greatest number of a page.
const MAX_SIZE: i64 = 100;
const MAX_PAGE: i64 = 10_000;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(figures))
}

/// What the caller used, or what the caller's endpoints were used for
///
/// Calls through the chat service, summed up by the hour and kept for 400 days. Owners see how many accounts called,
/// never which.
#[utoipa::path(get, path = "/api/v1/usage", tag = "usage", security(("bearer" = [])),
    params(
        ("view" = Option<String>, Query, pattern = "^(caller|owner)$", description = "`caller` (default): what the caller used; `owner`: what the caller's endpoints were used for"),
        ("group_by" = Option<String>, Query, pattern = "^(total|endpoint|day)$", description = "What makes a line: `total` (default), `endpoint` or `day` in UTC"),
        ("from" = Option<String>, Query, format = "date-time", description = "From the hour of this moment on; 30 days before `to` if not given"),
        ("to" = Option<String>, Query, format = "date-time", description = "Before this moment; the end of this hour if not given"),
        ("endpoint" = Option<String>, Query, max_length = 114, pattern = "^[a-z0-9_-]{1,50}/[a-z0-9-]{1,63}$", description = "Of this endpoint only, `owner/slug`"),
        ("page" = Option<i64>, Query, minimum = 1, maximum = 10_000, description = "Number of the page, from 1"),
        ("page_size" = Option<i64>, Query, minimum = 1, maximum = 100, description = "Lines of a page; 20 if not given")),
    responses((status = 200, body = UsageReport), (status = 401), (status = 403), (status = 422)))]
async fn figures(
    State(usage): State<Arc<Usage>>,
    User(caller): User,
    QueryFields(mut query): QueryFields,
) -> ApiResult<Json<UsageReport>> {
    let (filter, is_owner) = read_filter(&mut query, &caller, usage.clock.now());
    let group = read_group(&mut query);
    let (page, size) = read_page(&mut query);
    query.finish()?;
    let total = usage.figures(&filter, GroupBy::Total, Page::new(0, 1)).await?;
    let total = total.first().map(|line| UsageFigures::of(line, is_owner));
    let mut lines: Vec<UsageLine> = Vec::new();
    if group != GroupBy::Total {
        // One more than the page shows says whether there is a further one.
        let skip = u32::try_from((page - 1) * size).unwrap_or(u32::MAX);
        let limit = u32::try_from(size + 1).unwrap_or(u32::MAX);
        lines = usage.figures(&filter, group, Page::new(skip, limit)).await?;
    }
    let shown = usize::try_from(size).unwrap_or(usize::MAX);
    let has_more = lines.len() > shown;
    lines.truncate(shown);
    Ok(Json(UsageReport {
        view: if is_owner { "owner" } else { "caller" },
        group_by: match group {
            GroupBy::Total => "total",
            GroupBy::Endpoint => "endpoint",
            GroupBy::Day => "day",
        },
        from: filter.from,
        to: filter.until,
        total: total.ok_or_else(|| syfthub_domain::Error::internal("a sum is always one line"))?,
        items: lines.into_iter().map(|line| UsageGroup::of(line, is_owner)).collect(),
        page,
        page_size: size,
        has_more,
    }))
}

fn read_filter(query: &mut Fields, caller: &Principal, now: Timestamp) -> (Filter, bool) {
    let is_owner = query
        .string("view")
        .parse(|name| match name {
            "caller" => Ok(false),
            "owner" => Ok(true),
            _ => Err("must be caller or owner".to_owned()),
        })
        .or(false);
    let time = |text: &str| Timestamp::parse(text).ok_or_else(|| "must be an RFC 3339 time".to_owned());
    let until = query.string("to").parse(time).or(hour_of(now).plus(Duration::from_hours(1)));
    let from = query.string("from").parse(time).or(until.minus(USUAL));
    let endpoint = query.string("endpoint").length(3, MAX_PATH).parse(|text| {
        let path = EndpointPath::parse(text).ok_or_else(|| "must be owner/slug".to_owned())?;
        Ok((path.owner, path.slug))
    });
    let endpoint = endpoint.optional();
    let view = if is_owner { View::Owner(caller.user_id) } else { View::Caller(caller.user_id) };
    // Nothing older is kept, so nothing older need be looked for.
    let from = hour_of(from.max(now.minus(KEPT)).min(until.max(now.minus(KEPT))));
    (Filter { view, from, until, endpoint }, is_owner)
}

fn read_group(query: &mut Fields) -> GroupBy {
    query
        .string("group_by")
        .parse(|name| match name {
            "total" => Ok(GroupBy::Total),
            "endpoint" => Ok(GroupBy::Endpoint),
            "day" => Ok(GroupBy::Day),
            _ => Err("must be total, endpoint or day".to_owned()),
        })
        .or(GroupBy::Total)
}

fn read_page(query: &mut Fields) -> (i64, i64) {
    let page = query.int("page").range(1, MAX_PAGE).or(1);
    (page, query.int("page_size").range(1, MAX_SIZE).or(20))
}
