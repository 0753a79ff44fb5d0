//! An answer as chunks.

use std::time::Duration;

use axum::response::Response;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use serde_json::{Value, json};
use syfthub_web::{ApiError, ApiResult, sse};

use super::completion::{Head, ToolCalls};
use super::refusal;
use crate::chat::event::{Answer, Event};
use crate::streams::watched;

/// So long a failure can still have a status of its own; after that the stream begins, and failures are events.
pub(super) const WAIT: Duration = Duration::from_secs(8);
/// Where these streams are read, for the log.
pub(super) const ROUTE: &str = "v1/chat/completions";
/// The name of the event after which there is nothing.
pub(super) const DONE: &str = "done";
/// What it is to the reader of chunks.
pub(super) const END: &[u8] = b"data: [DONE]\n\n";

/// What an event is to the reader of chunks.
enum Step {
    Said(Value),
    Done(Box<Answer>),
    Failed(Value),
}

/// Answers with the chunks of `events`.
pub(super) async fn response(
    mut events: impl Stream<Item = Event> + Send + Unpin + 'static,
    head: Head,
    include_usage: bool,
) -> ApiResult<Response> {
    let first = first(&mut events).await?;
    let chunks = chunks(first, events, head, include_usage);
    let frames =
        chunks.map(|(name, chunk)| if name == DONE { Bytes::from_static(END) } else { frame(&chunk) });
    Ok(sse::response_of_frames(watched(ROUTE, Box::pin(frames))))
}

/// The first event that says something, unless it takes too long; a failure until then is an error.
pub(super) async fn first(events: &mut (impl Stream<Item = Event> + Unpin)) -> ApiResult<Option<Event>> {
    let waiting = async {
        while let Some(event) = events.next().await {
            match event {
                Event::Failed(failed) => {
                    let billing = failed.billing.to_json();
                    return Err(ApiError::from(failed.error).with_billing(billing));
                }
                Event::Token(_) | Event::ToolCalls(_) | Event::Done(_) => return Ok(Some(event)),
                _ => {}
            }
        }
        Ok(None)
    };
    tokio::time::timeout(WAIT, waiting).await.unwrap_or(Ok(None))
}

/// Name and data of everything that is told.
pub(super) fn chunks(
    first: Option<Event>,
    events: impl Stream<Item = Event> + Send + Unpin,
    head: Head,
    include_usage: bool,
) -> impl Stream<Item = (&'static str, Value)> + Send {
    async_stream::stream! {
        let mut events = futures::stream::iter(first).chain(events);
        let mut calls = ToolCalls::default();
        // Those who asked for token counts expect the key in every chunk.
        let told = |mut chunk: Value| {
            if include_usage && chunk.get("usage").is_none() {
                chunk["usage"] = Value::Null;
            }
            ("chunk", chunk)
        };
        yield told(head.chunk(&json!({"role": "assistant", "content": ""})));
        while let Some(event) = events.next().await {
            match step(event, &mut calls) {
                None => {}
                Some(Step::Said(delta)) => yield told(head.chunk(&delta)),
                Some(Step::Done(answer)) => {
                    yield told(head.last_chunk(&answer, &calls));
                    if include_usage {
                        yield told(head.usage_chunk(&answer));
                    }
                    yield (DONE, Value::Null);
                }
                Some(Step::Failed(error)) => yield ("error", error),
            }
        }
    }
}

fn step(event: Event, calls: &mut ToolCalls) -> Option<Step> {
    match event {
        Event::Token(text) if !text.is_empty() => Some(Step::Said(json!({"content": text}))),
        Event::ToolCalls(parts) => Some(Step::Said(json!({"tool_calls": calls.add(&parts)}))),
        Event::Done(answer) => Some(Step::Done(answer)),
        Event::Failed(failed) => Some(Step::Failed(refusal::event(&failed.error, &failed.billing.to_json()))),
        _ => None,
    }
}

pub(super) fn frame(data: &Value) -> Bytes {
    format!("data: {}\n\n", sse::ascii_json(data)).into()
}
