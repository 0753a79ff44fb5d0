//! Requests with an `Idempotency-Key`: worked on to their end, and taken up again, as those of the other chat routes.
//!
//! What is kept are named events; clients of this protocol read frames without names, the last of which is `[DONE]`.

use std::sync::Arc;

use axum::response::Response;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use serde_json::Value;
use syfthub_domain::{Error, ErrorCode};
use syfthub_web::{ApiResult, sse};

use super::completion::Head;
use super::routes::whole;
use super::stream::{self, DONE, END, ROUTE, WAIT, frame};
use super::{refusal, request::Question};
use crate::chat::routes::{ChatRoutes, KEPT_ANSWER, keep, kept};
use crate::chat::{Chat, Delivery};
use crate::detached;
use crate::streams::watched;

/// Works on a question, or takes up what is worked on already.
pub(super) async fn response(
    routes: &ChatRoutes,
    wish: detached::Request,
    question: Question,
    head: Head,
) -> ApiResult<Response> {
    let (chat, streams) = (Arc::clone(&routes.chat), question.stream);
    let mut frames = routes.runs.take_up(wish, move || events(chat, question, head)).await?;
    let first = if streams {
        // Whoever comes back may come while the model is silent, and must not wait for the head of the answer.
        tokio::time::timeout(WAIT, frames.next()).await
    } else {
        Ok(frames.next().await)
    };
    match first.as_ref().ok().and_then(Option::as_ref).and_then(detached::read) {
        Some((KEPT_ANSWER, answer)) => return Ok(kept(&answer)),
        _ if !streams => return Err(detached::interrupted().into()),
        _ => {}
    }
    let frames = futures::stream::iter(first.ok().flatten()).chain(frames).map(|frame| nameless(&frame));
    Ok(sse::response_of_frames(watched(ROUTE, frames)))
}

fn events(
    chat: Arc<Chat>,
    question: Question,
    head: Head,
) -> impl Stream<Item = (&'static str, Value)> + Send + 'static {
    async_stream::stream! {
        if !question.stream {
            let answer = whole(&chat, question.ask, &head).await;
            yield (KEPT_ANSWER, keep(answer.unwrap_or_else(refusal::response)).await);
            return;
        }
        let mut events = chat.ask(question.ask, Delivery::Streamed);
        match stream::first(&mut events).await {
            Err(refused) => yield (KEPT_ANSWER, keep(refusal::response(refused)).await),
            Ok(first) => {
                let chunks = stream::chunks(first, events, head, question.include_usage);
                for await (name, chunk) in chunks {
                    yield (name, chunk);
                }
            }
        }
    }
}

/// A kept frame as clients of this protocol read it, with its number.
fn nameless(kept: &Bytes) -> Bytes {
    let Some((name, data)) = detached::read(kept) else { return kept.clone() };
    let data = match name {
        DONE => Bytes::from_static(END),
        // The word that a run was broken off, or is too long to be kept.
        "error" if data["error"].is_null() => {
            let message = data["message"].as_str().unwrap_or_default().to_owned();
            let is_interrupted = data["code"] == ErrorCode::Interrupted.name();
            let code = if is_interrupted { ErrorCode::Interrupted } else { ErrorCode::PayloadTooLarge };
            frame(&refusal::event(&Error::new(code, message), &Value::Null))
        }
        _ => frame(&data),
    };
    let id =
        std::str::from_utf8(kept).ok().and_then(|text| text.lines().find(|line| line.starts_with("id: ")));
    id.map_or_else(|| data.clone(), |id| [id.as_bytes(), b"\n", &data].concat().into())
}
