//! `/api/v1/conversations`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use http::{StatusCode, header};
use syfthub_web::{ApiResult, ClientIp, Fields, JsonBody, QueryFields};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Conversations;
use super::export::Form;
use super::wire::{
    Conversation, ConversationChange, ConversationPage, ConversationWithMessages, Message, NewConversation,
    ShareLink, SharedConversation, SharedMessage, cursor_text, read_cursor,
};
use crate::access::{User, Viewer};
use crate::limits::{Limits, Scope};
use crate::router::AppState;

/// Longest title, in characters.
const MAX_TITLE: usize = 200;
/// Greatest place of a message that one may ask for.
const MAX_PLACE: i64 = 1_000_000;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(get, rename, delete))
        .routes(routes!(export))
        .routes(routes!(share, unshare))
        .routes(routes!(shared))
}

/// Begin a conversation
///
/// Its id goes into `conversation_id` of a chat, which then adds the question and the answer to it.
#[utoipa::path(post, path = "/api/v1/conversations", tag = "conversations", security(("bearer" = [])),
    request_body = NewConversation,
    responses((status = 201, body = Conversation), (status = 400, description = "There are too many already"),
        (status = 401), (status = 403), (status = 422)))]
async fn create(
    State(conversations): State<Arc<Conversations>>,
    User(caller): User,
    JsonBody(body): JsonBody,
) -> ApiResult<(StatusCode, Json<Conversation>)> {
    let mut fields = Fields::body(body)?;
    let title = fields.string("title").length(0, MAX_TITLE).optional().unwrap_or_default();
    fields.finish()?;
    let row = conversations.create(&caller, title.trim()).await?;
    Ok((StatusCode::CREATED, Json(row.into())))
}

/// The caller's conversations, last changed first
#[utoipa::path(get, path = "/api/v1/conversations", tag = "conversations", security(("bearer" = [])),
    params(
        ("search" = Option<String>, Query, max_length = 200, description = "Only those whose title or messages have this text"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 100, description = "Conversations of a page, 20 by default"),
        ("cursor" = Option<String>, Query, pattern = "^[0-9]{1,17}_[0-9a-f-]{36}$", description = "`next_cursor` of the page before")),
    responses((status = 200, body = ConversationPage), (status = 401), (status = 403), (status = 422), (status = 429)))]
async fn list(
    State(conversations): State<Arc<Conversations>>,
    State(limits): State<Arc<Limits>>,
    User(caller): User,
    ip: ClientIp,
    QueryFields(mut query): QueryFields,
) -> ApiResult<Json<ConversationPage>> {
    let search = query.string("search").length(0, 200).optional().filter(|text| !text.trim().is_empty());
    let limit = query.int("limit").range(1, 100).or(20);
    let cursor = |text: &str| read_cursor(text).ok_or_else(|| "must be the next_cursor of a page".to_owned());
    let after = query.string("cursor").parse(cursor).optional();
    query.finish()?;
    if search.is_some() {
        limits.check_user(Scope::Search, caller.user_id, ip.0).await?;
    }
    let limit = u32::try_from(limit).unwrap_or(20);
    let rows = conversations.list(&caller, search.as_deref(), after.as_ref(), limit).await?;
    let next_cursor = rows.last().filter(|_| rows.len() >= limit as usize).map(cursor_text);
    Ok(Json(ConversationPage {
        conversations: rows.into_iter().map(Conversation::from).collect(),
        next_cursor,
    }))
}

/// The page of messages that a query asks for: behind which place, and how many.
fn read_page(mut query: Fields) -> syfthub_domain::Result<(i64, u32)> {
    let after = query.int("after").range(0, MAX_PLACE).or(0);
    let limit = query.int("limit").range(1, 200).or(100);
    query.finish()?;
    Ok((after, u32::try_from(limit).unwrap_or(100)))
}

/// One of the caller's conversations with a page of its messages
#[utoipa::path(get, path = "/api/v1/conversations/{id}", tag = "conversations", security(("bearer" = [])),
    params(("id" = String, Path, description = "The conversation's UUID", example = "01980a3e-5d0c-7c52-b7a1-5f6f3f0f9f10"),
        ("after" = Option<i64>, Query, minimum = 0, maximum = 1_000_000, description = "Messages behind this place; `next_after` of the page before"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "Messages of a page, 100 by default")),
    responses((status = 200, body = ConversationWithMessages), (status = 401), (status = 403), (status = 404), (status = 422)))]
async fn get(
    State(conversations): State<Arc<Conversations>>,
    User(caller): User,
    Path(id): Path<String>,
    QueryFields(query): QueryFields,
) -> ApiResult<Json<ConversationWithMessages>> {
    let (after, limit) = read_page(query)?;
    let row = conversations.get(&caller, &id).await?;
    let (messages, has_more) = conversations.messages(&row, after, limit).await?;
    let next_after = messages.last().filter(|_| has_more).map(|message| message.position);
    let messages = messages.into_iter().map(Message::from).collect();
    Ok(Json(ConversationWithMessages { conversation: row.into(), messages, next_after }))
}

/// Give a conversation another title
#[utoipa::path(patch, path = "/api/v1/conversations/{id}", tag = "conversations", security(("bearer" = [])),
    params(("id" = String, Path, description = "The conversation's UUID", example = "01980a3e-5d0c-7c52-b7a1-5f6f3f0f9f10")),
    request_body = ConversationChange,
    responses((status = 200, body = Conversation), (status = 401), (status = 403), (status = 404), (status = 422)))]
async fn rename(
    State(conversations): State<Arc<Conversations>>,
    User(caller): User,
    Path(id): Path<String>,
    JsonBody(body): JsonBody,
) -> ApiResult<Json<Conversation>> {
    let mut fields = Fields::body(body)?;
    let title = fields.string("title").length(1, MAX_TITLE).required();
    let valid = fields.finish()?;
    Ok(Json(conversations.rename(&caller, &id, title.take(&valid).trim()).await?.into()))
}

/// Remove a conversation with its messages and its link
#[utoipa::path(delete, path = "/api/v1/conversations/{id}", tag = "conversations", security(("bearer" = [])),
    params(("id" = String, Path, description = "The conversation's UUID", example = "01980a3e-5d0c-7c52-b7a1-5f6f3f0f9f10")),
    responses((status = 204), (status = 401), (status = 403), (status = 404)))]
async fn delete(
    State(conversations): State<Arc<Conversations>>,
    User(caller): User,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    conversations.delete(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A whole conversation as a file
#[utoipa::path(get, path = "/api/v1/conversations/{id}/export", tag = "conversations", security(("bearer" = [])),
    params(("id" = String, Path, description = "The conversation's UUID", example = "01980a3e-5d0c-7c52-b7a1-5f6f3f0f9f10"),
        ("format" = Option<String>, Query, pattern = "^(markdown|json)$", description = "`markdown` (default) or `json`")),
    responses((status = 200, content((String = "text/markdown"), (ConversationWithMessages = "application/json"))),
        (status = 401), (status = 403), (status = 404), (status = 422)))]
async fn export(
    State(conversations): State<Arc<Conversations>>,
    User(caller): User,
    Path(id): Path<String>,
    QueryFields(mut query): QueryFields,
) -> ApiResult<impl IntoResponse> {
    let form = query
        .string("format")
        .parse(|name| match name {
            "markdown" => Ok(Form::Markdown),
            "json" => Ok(Form::Json),
            _ => Err("must be markdown or json".to_owned()),
        })
        .or(Form::Markdown);
    query.finish()?;
    let body = conversations.export(&caller, &id, form).await?;
    let name = format!("attachment; filename=\"conversation.{}\"", form.extension());
    let headers = [
        (header::CONTENT_TYPE, form.media_type().to_owned()),
        (header::CONTENT_DISPOSITION, name),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, body))
}

/// Make a link with which anybody can read a conversation
///
/// The token is in this answer and nowhere else. A link that was made before ends.
#[utoipa::path(post, path = "/api/v1/conversations/{id}/share", tag = "conversations", security(("bearer" = [])),
    params(("id" = String, Path, description = "The conversation's UUID", example = "01980a3e-5d0c-7c52-b7a1-5f6f3f0f9f10")),
    responses((status = 201, body = ShareLink), (status = 401), (status = 403), (status = 404)))]
async fn share(
    State(conversations): State<Arc<Conversations>>,
    User(caller): User,
    Path(id): Path<String>,
) -> ApiResult<(StatusCode, Json<ShareLink>)> {
    Ok((StatusCode::CREATED, Json(conversations.share(&caller, &id).await?)))
}

/// Take the link to a conversation back
#[utoipa::path(delete, path = "/api/v1/conversations/{id}/share", tag = "conversations", security(("bearer" = [])),
    params(("id" = String, Path, description = "The conversation's UUID", example = "01980a3e-5d0c-7c52-b7a1-5f6f3f0f9f10")),
    responses((status = 204), (status = 401), (status = 403), (status = 404)))]
async fn unshare(
    State(conversations): State<Arc<Conversations>>,
    User(caller): User,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    conversations.unshare(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Read a conversation behind a link
#[utoipa::path(get, path = "/api/v1/conversations/shared/{token}", tag = "conversations", security(()),
    params(("token" = String, Path, description = "The secret of the link"),
        ("after" = Option<i64>, Query, minimum = 0, maximum = 1_000_000, description = "Messages behind this place; `next_after` of the page before"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "Messages of a page, 100 by default")),
    responses((status = 200, body = SharedConversation), (status = 404), (status = 422), (status = 429)))]
async fn shared(
    State(conversations): State<Arc<Conversations>>,
    State(limits): State<Arc<Limits>>,
    _: Viewer,
    ip: ClientIp,
    Path(token): Path<String>,
    QueryFields(query): QueryFields,
) -> ApiResult<impl IntoResponse> {
    limits.check(Scope::SharedConversation, ip.0).await?;
    let (after, limit) = read_page(query)?;
    let row = conversations.shared(&token).await?;
    let (messages, has_more) = conversations.messages(&row, after, limit).await?;
    let next_after = messages.last().filter(|_| has_more).map(|message| message.position);
    let messages = messages.into_iter().map(SharedMessage::from).collect();
    let shown = SharedConversation { title: row.title, messages, next_after };
    // A link that was taken back is not to be answered out of a cache, and no search engine should list it.
    let headers = [("cache-control", "no-store"), ("x-robots-tag", "noindex")];
    Ok((headers, Json(shown)))
}
