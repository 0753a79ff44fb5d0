//! `/api/v1/feedback` and `/api/v1/admin/feedback`.

use std::sync::Arc;

use axum::Json;
use axum::extract::multipart::MultipartRejection;
use axum::extract::{Multipart, Path, State};
use axum::response::IntoResponse;
use http::header;
use syfthub_store::feedback::FeedbackFilter;
use syfthub_web::{ApiResult, ClientIp, Fields, JsonBody, QueryFields};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::form::CATEGORIES;
use super::wire::{FeedbackForm, FeedbackItem, FeedbackUpdate, Receipt};
use super::{Feedback, form, picture};
use crate::access::{Admin, User};
use crate::audit::Origin;
use crate::limits::{Limits, Scope};
use crate::paging::{Numbered, Paged};
use crate::router::AppState;

/// What becomes of feedback.
const STATUSES: [&str; 4] = ["new", "in_progress", "resolved", "dismissed"];

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(submit))
        .routes(routes!(list_feedback))
        .routes(routes!(get_feedback, update_feedback))
        .routes(routes!(feedback_screenshot))
}

/// Say something about the hub
///
/// The answer has the status 200 also when the feedback did not arrive; `success` tells.
#[utoipa::path(post, path = "/api/v1/feedback", tag = "feedback", security(("bearer" = [])),
    request_body(content = FeedbackForm, content_type = "multipart/form-data"),
    responses((status = 200, body = Receipt), (status = 400), (status = 401), (status = 403), (status = 413),
        (status = 415), (status = 422), (status = 429)))]
async fn submit(
    State(limits): State<Arc<Limits>>,
    State(feedback): State<Arc<Feedback>>,
    ClientIp(ip): ClientIp,
    User(caller): User,
    form: Result<Multipart, MultipartRejection>,
) -> ApiResult<Json<Receipt>> {
    limits.check_user(Scope::Feedback, caller.user_id, ip).await?;
    let submission = form::read(form).await?;
    Ok(Json(feedback.submit(caller.user_id, submission).await))
}

/// Feedback of users, newest first
#[utoipa::path(get, path = "/api/v1/admin/feedback", tag = "admin", security(("bearer" = [])),
    params(
        ("page" = Option<i64>, Query, minimum = 1, maximum = 1_000_000, description = "Number of the page, from 1"),
        ("page_size" = Option<i64>, Query, minimum = 1, maximum = 100, description = "Rows of a page, 20 by default"),
        ("status" = Option<String>, Query, pattern = "^(new|in_progress|resolved|dismissed)$",
            description = "`new`, `in_progress`, `resolved` or `dismissed`"),
        ("category" = Option<String>, Query, pattern = "^(bug|feedback|idea)$",
            description = "`bug`, `feedback` or `idea`")),
    responses((status = 200, body = Paged<FeedbackItem>), (status = 401), (status = 403), (status = 422)))]
async fn list_feedback(
    State(feedback): State<Arc<Feedback>>,
    Admin(_caller): Admin,
    QueryFields(mut query): QueryFields,
) -> ApiResult<Json<Paged<FeedbackItem>>> {
    let page = Numbered::read(&mut query);
    let status = one_of(&mut query, "status", &STATUSES);
    let category = one_of(&mut query, "category", &CATEGORIES);
    query.finish()?;
    let (rows, total) = feedback.list(&FeedbackFilter { status, category }, page.rows()).await?;
    Ok(Json(page.with(rows.into_iter().map(FeedbackItem::from).collect(), total)))
}

fn one_of(query: &mut Fields, key: &str, names: &[&str]) -> Option<String> {
    query.string(key).parse(|text| known(text, names)).optional()
}

fn known(text: &str, names: &[&str]) -> Result<String, String> {
    if names.contains(&text) {
        Ok(text.to_owned())
    } else {
        Err(format!("must be one of {}", names.join(", ")))
    }
}

/// One piece of feedback
#[utoipa::path(get, path = "/api/v1/admin/feedback/{id}", tag = "admin",
    security(("bearer" = [])), params(("id" = String, Path, description = "Id of the feedback")),
    responses((status = 200, body = FeedbackItem), (status = 401), (status = 403), (status = 404)))]
async fn get_feedback(
    State(feedback): State<Arc<Feedback>>,
    Admin(_caller): Admin,
    Path(id): Path<String>,
) -> ApiResult<Json<FeedbackItem>> {
    Ok(Json(feedback.get(&id).await?.into()))
}

/// Say what became of it
#[utoipa::path(patch, path = "/api/v1/admin/feedback/{id}", tag = "admin",
    security(("bearer" = [])), params(("id" = String, Path, description = "Id of the feedback")),
    request_body = FeedbackUpdate,
    responses((status = 200, body = FeedbackItem), (status = 401), (status = 403), (status = 404), (status = 415),
        (status = 422)))]
async fn update_feedback(
    State(feedback): State<Arc<Feedback>>,
    Admin(caller): Admin,
    Path(id): Path<String>,
    JsonBody(body): JsonBody,
) -> ApiResult<Json<FeedbackItem>> {
    let mut fields = Fields::body(body)?;
    let status = fields.string("status").parse(|text| known(text, &STATUSES)).required();
    let valid = fields.finish()?;
    Ok(Json(feedback.set_status(&Origin::of(&caller), &id, &status.take(&valid)).await?.into()))
}

/// The screenshot that came with it, as a file
#[utoipa::path(get, path = "/api/v1/admin/feedback/{id}/screenshot", tag = "admin", security(("bearer" = [])),
    params(("id" = String, Path, description = "Id of the feedback")),
    responses((status = 200, body = Vec<u8>, content_type = "image/png"),
        (status = 401), (status = 403), (status = 404)))]
async fn feedback_screenshot(
    State(feedback): State<Arc<Feedback>>,
    Admin(_caller): Admin,
    Path(id): Path<String>,
) -> ApiResult<impl IntoResponse> {
    let (media_type, bytes) = feedback.screenshot(&id).await?;
    let name = format!("attachment; filename=\"feedback-screenshot.{}\"", picture::extension(media_type));
    // Users sent it: a browser must neither guess at it nor run anything in it.
    let headers = [
        (header::CONTENT_TYPE, media_type.to_owned()),
        (header::CONTENT_DISPOSITION, name),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox".to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, bytes))
}
