//! Answers chats with the model, in one piece or as a stream.

use std::convert::Infallible;
use std::time::Duration;

use async_stream::stream;
use axum::Json;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::{HeaderValue, header};
use serde_json::{Value, json};
use syfthub_domain::{Error, ErrorCode, Result};
use syfthub_web::sse::ascii_json;
use tokio::sync::OwnedSemaphorePermit;

use super::wire::{Chat, Envelope, Message, Summary};
use crate::model::{Ask, Event, Model, Reply};

/// More turns than this are refused.
const MAX_MESSAGES: usize = 500;
/// Longest list of texts that end an answer.
const MAX_STOPS: usize = 16;
/// Silence in a stream is broken after this long.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

pub(super) async fn answer(
    model: &Model,
    chat: Chat,
    wants_events: bool,
    slot: OwnedSemaphorePermit,
) -> Result<Response> {
    let streams = chat.stream && wants_events;
    let ask = check(chat, streams)?;
    let id = format!("chatcmpl-{}", uuid::Uuid::new_v4().simple());
    match model.ask(ask).await? {
        Reply::Whole(whole) => {
            drop(slot);
            let message = Message { role: "assistant".to_owned(), content: whole.text };
            let summary = Summary {
                id,
                model: whole.model,
                message,
                usage: whole.usage,
                finish_reason: whole.finish_reason,
            };
            Ok(Json(Envelope::new(Some(summary), None)).into_response())
        }
        Reply::Events(events) => Ok(streamed(frames(id, model.name().to_owned(), events, slot))),
    }
}

fn check(chat: Chat, streams: bool) -> Result<Ask> {
    let invalid = |text: &str| Err(Error::new(ErrorCode::ValidationError, text));
    let messages = chat.messages.into_list();
    if messages.is_empty() || messages.len() > MAX_MESSAGES {
        return invalid("messages must hold between 1 and 500 turns");
    }
    if messages.iter().any(|message| !["system", "user", "assistant"].contains(&message.role.as_str())) {
        return invalid("the role of a message must be system, user or assistant");
    }
    if chat.temperature.is_some_and(|heat| !(0.0..=2.0).contains(&heat)) {
        return invalid("temperature must be between 0 and 2");
    }
    let stop = chat.stop_sequences.unwrap_or_default();
    if stop.len() > MAX_STOPS {
        return invalid("stop_sequences must hold at most 16 texts");
    }
    Ok(Ask { messages, max_tokens: chat.max_tokens, temperature: chat.temperature, stop, streams })
}

/// Chunks in OpenAI's shape, which aggregators and most clients read.
fn frames(
    id: String,
    model: String,
    mut events: futures::stream::BoxStream<'static, Result<Event>>,
    slot: OwnedSemaphorePermit,
) -> impl Stream<Item = Bytes> + Send {
    let chunk = move |choices: Value| json!({"id": id, "object": "chat.completion.chunk", "model": model, "choices": choices});
    stream! {
        // The slot is taken until the last word, or until the caller goes away and this is dropped.
        let _slot = slot;
        loop {
            let Ok(next) = tokio::time::timeout(KEEP_ALIVE, events.next()).await else {
                yield Bytes::from_static(b": keep-alive\n\n");
                continue;
            };
            match next {
                Some(Ok(Event::Text(text))) => {
                    yield frame(&chunk(json!([{"index": 0, "delta": {"content": text}, "finish_reason": null}])));
                }
                Some(Ok(Event::End { finish_reason, usage })) => {
                    yield frame(&chunk(json!([{"index": 0, "delta": {}, "finish_reason": finish_reason}])));
                    if let Some(usage) = usage {
                        let mut last = chunk(json!([]));
                        last["usage"] = json!(usage);
                        yield frame(&last);
                    }
                    break;
                }
                Some(Err(error)) => {
                    tracing::warn!(code = error.code.name(), cause = error.chain(), "node.model.stream_failed");
                    let data = json!({"error": {"message": error.message, "code": error.code.name()}});
                    yield Bytes::from(format!("event: error\ndata: {}\n\n", ascii_json(&data)));
                    return;
                }
                None => break,
            }
        }
        yield Bytes::from_static(b"data: [DONE]\n\n");
    }
}

fn frame(data: &Value) -> Bytes {
    Bytes::from(format!("data: {}\n\n", ascii_json(data)))
}

fn streamed(frames: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let mut answer = Response::new(Body::from_stream(frames.map(Ok::<_, Infallible>)));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    answer
}
