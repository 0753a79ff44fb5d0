//! `/v1/chat/completions` and `/v1/models`.

use std::sync::Arc;

use axum::extract::{FromRequest, Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use futures::StreamExt;
use http::request::Parts;
use serde_json::Value;
use syfthub_config::Secret;
use syfthub_domain::{Error, ErrorCode, SharedClock};
use syfthub_web::{ApiError, ApiResult, RawJson};

use super::completion::{Head, ToolCalls};
use super::request::Question;
use super::{models, refusal, request, resolve, stream, taken_up, turns};
use crate::chat::event::Event;
use crate::chat::routes::{ChatRoutes, owner_of};
use crate::chat::{Ask, Chat, Delivery};
use crate::detached::{self, Wish};

/// Longest name of a model that is looked up.
const MAX_ID: usize = 300;

/// What the routes need.
#[derive(Debug, Clone)]
pub(crate) struct OpenAiRoutes {
    pub(crate) chat: ChatRoutes,
    pub(crate) clock: SharedClock,
}

pub(crate) fn router(routes: OpenAiRoutes) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(complete).fallback(wrong_method))
        .route("/v1/models", get(list).fallback(wrong_method))
        .route("/v1/models/{*id}", get(one).fallback(wrong_method))
        .route("/v1/{*path}", any(nothing))
        .with_state(routes)
}

async fn complete(State(routes): State<OpenAiRoutes>, request: Request) -> Response {
    routes.complete(request).await.unwrap_or_else(refusal::response)
}

async fn list(State(routes): State<OpenAiRoutes>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let listed = async {
        let credential = routes.viewer(&mut parts).await?;
        Ok(models::list(routes.chat.chat.hub(), credential.as_ref()).await?)
    };
    json_or_refusal(listed.await)
}

async fn one(State(routes): State<OpenAiRoutes>, Path(id): Path<String>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let found = async {
        let credential = routes.viewer(&mut parts).await?;
        let id: String = id.chars().take(MAX_ID).collect();
        Ok(models::one(routes.chat.chat.hub(), credential.as_ref(), &id).await?)
    };
    json_or_refusal(found.await)
}

fn json_or_refusal(answer: ApiResult<Value>) -> Response {
    answer.map_or_else(refusal::response, |json| Json(json).into_response())
}

async fn nothing() -> Response {
    let text = "There is nothing here; this hub serves /v1/chat/completions and /v1/models";
    let error = Error::coded(ErrorCode::NotFound, text);
    refusal::response(error.into())
}

async fn wrong_method() -> Response {
    refusal::response(Error::new(ErrorCode::MethodNotAllowed, "Method Not Allowed").into())
}

impl OpenAiRoutes {
    async fn complete(&self, request: Request) -> ApiResult<Response> {
        let (mut parts, body) = request.into_parts();
        let claim = self.chat.claim(&mut parts).await?;
        let wish = Wish::read(&parts.headers)?;
        let raw = RawJson::from_request(Request::from_parts(parts, body), &()).await?;
        let body = raw.parse_with(request::parse)?.ok_or_else(request::too_many_parts)?;
        let chat = &self.chat.chat;
        let mut question = request::read(body, chat.settings())?;
        let stand = claim.stand();
        let credential = claim.credential()?;
        self.chat.accept(credential.as_ref(), stand).await?;
        let owner = owner_of(credential.as_ref());
        resolve::fill(chat, &mut question, credential).await?;
        chat.keeper().check(&question.ask).await?;
        if chat.settings().rules.mask_secrets {
            question = masked(question).await;
        }
        let head = Head::new(question.model.clone(), self.clock.now());
        if let Some(wish) = wish {
            let wish = detached::Request { wish, owner, route: stream::ROUTE, body: raw.0 };
            return taken_up::response(&self.chat, wish, question, head).await;
        }
        if question.stream {
            let events = chat.ask(question.ask, Delivery::Streamed);
            return stream::response(events, head, question.include_usage).await;
        }
        whole(chat, question.ask, &head).await
    }

    /// Who looks at a listing.
    async fn viewer(&self, parts: &mut Parts) -> ApiResult<Option<Secret>> {
        let claim = self.chat.claim(parts).await?;
        let stand = claim.stand();
        let credential = claim.credential()?;
        self.chat.accept(credential.as_ref(), stand).await?;
        Ok(credential)
    }
}

/// The answer in one piece.
pub(super) async fn whole(chat: &Arc<Chat>, ask: Ask, head: &Head) -> ApiResult<Response> {
    let mut events = chat.ask(ask, Delivery::Whole);
    let mut calls = ToolCalls::default();
    while let Some(event) = events.next().await {
        match event {
            Event::ToolCalls(parts) => drop(calls.add(&parts)),
            Event::Done(answer) => return Ok(Json(head.completion(&answer, &calls)).into_response()),
            Event::Failed(failed) => {
                let billing = failed.billing.to_json();
                return Err(ApiError::from(failed.error).with_billing(billing));
            }
            _ => {}
        }
    }
    Err(Error::internal("the chat ended without a last event").into())
}

/// The question without the secrets that tools returned.
async fn masked(mut question: Question) -> Question {
    let Some(turns) = question.ask.turns.take_if(|turns| turns.has_tools) else { return question };
    // A body of the greatest size takes some milliseconds, which others would wait.
    let masking = tokio::task::spawn_blocking(move || {
        let mut turns = turns;
        let secrets = turns::mask_tools(&mut turns);
        (turns, secrets)
    });
    // Only a fault of ours ends it early; then nothing is told that was not looked at.
    if let Ok((turns, secrets)) = masking.await {
        if secrets > 0 {
            tracing::warn!(target: "syfthub.aggregator.chat", path = "tools", secrets, "chat.secrets.masked");
        }
        question.ask.turns = Some(turns);
    }
    question
}
