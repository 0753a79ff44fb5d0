//! Asks the model: one call, read as it arrives.

mod body;
mod envelope;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod stream;

use futures::FutureExt;
use futures::stream::Stream;
use serde_json::Value;

pub(crate) use envelope::Usage;
use envelope::{ANSWER, Envelope};
use stream::{Ending, Item, Reader};

use crate::chat::{Ask, EndpointRef, Tokens};
use crate::space::{Accept, Failure, Reply, Space, Target};

/// Most that is read of an answer in one piece, in bytes.
const MAX_ENVELOPE: usize = crate::space::MAX_ANSWER;
/// Longest text of an answer, in bytes.
const MAX_ANSWER: usize = 2 * 1024 * 1024;

/// A part of what a model says.
#[derive(Debug, PartialEq)]
pub(crate) enum Piece {
    /// More of the answer; never empty.
    Text(String),
    /// Parts of calls of the functions that the caller offered.
    ToolCalls(Vec<Value>),
    /// Why it stops.
    Finish(String),
    /// Token counts.
    Usage(Usage),
    /// What its policies report; not trusted.
    Policy(Value),
}

/// Asks `model` in the matter of `ask` with `messages`. With `streamed` the pieces come as the model makes them,
/// if it can stream; without, the text comes in one piece.
pub(crate) fn generate<'a>(
    space: &'a Space,
    ask: &'a Ask,
    model: &'a EndpointRef,
    tokens: &'a Tokens,
    messages: &'a [Value],
    streamed: bool,
) -> impl Stream<Item = Result<Piece, Failure>> + Send + 'a {
    async_stream::try_stream! {
        let body = body::body(ask, model, messages, streamed);
        let accept = if streamed { Accept::EventStream } else { Accept::Json };
        let target = Target::new(model, tokens);
        // In a box: it is needed for a moment and would take its room for as long as the answer streams.
        let reply = Box::pin(space.query(&target, &body, accept)).await?;
        drop(body);
        if reply.is_event_stream() {
            for await piece in read_stream(reply, model) {
                yield piece?;
            }
        } else {
            let (json, _held) = reply.json(ANSWER, MAX_ENVELOPE).await?;
            let envelope = Envelope::read(&json);
            if envelope.text.len() > MAX_ANSWER {
                Err(Failure::TooLarge)?;
            }
            if let Some(message) = envelope.error {
                Err(Failure::GaveUp(message))?;
            }
            if !envelope.text.is_empty() {
                yield Piece::Text(envelope.text);
            }
            if !envelope.tool_calls.is_empty() {
                yield Piece::ToolCalls(envelope.tool_calls);
            }
            if let Some(reason) = envelope.finish_reason {
                yield Piece::Finish(reason);
            }
            if let Some(usage) = envelope.usage {
                yield Piece::Usage(usage);
            }
            if let Some(policy) = envelope.policy {
                yield Piece::Policy(policy);
            }
        }
    }
}

fn read_stream<'a>(
    mut reply: Reply<'a>,
    model: &'a EndpointRef,
) -> impl Stream<Item = Result<Piece, Failure>> + Send + 'a {
    async_stream::try_stream! {
        let mut reader = Reader::default();
        let mut length = 0;
        reply.read_on();
        'reading: loop {
            let chunk = reply.chunk().await?;
            let is_last = chunk.is_none();
            let items = match chunk {
                Some(chunk) => reader.push(&chunk).map_err(|_| Failure::TooLarge)?,
                None => reader.finish(),
            };
            reply.hold(length + reader.pending())?;
            for item in items {
                match item {
                    Item::Text(text) => {
                        length += text.len();
                        if length > MAX_ANSWER {
                            Err(Failure::TooLarge)?;
                        }
                        yield Piece::Text(text);
                    }
                    Item::ToolCalls(calls) => {
                        length += calls.iter().map(|call| call.to_string().len()).sum::<usize>();
                        if length > MAX_ANSWER {
                            Err(Failure::TooLarge)?;
                        }
                        yield Piece::ToolCalls(calls);
                    }
                    Item::Finish(reason) => yield Piece::Finish(reason),
                    Item::Usage(usage) => yield Piece::Usage(usage),
                    Item::Policy(policy) => yield Piece::Policy(policy),
                    Item::Failed(message) => Err(Failure::GaveUp(message))?,
                    Item::End => {
                        // When the body's own end is here too, the connection can be used again.
                        let _ = reply.chunk().now_or_never();
                        break 'reading;
                    }
                }
            }
            if is_last {
                check_end(reader.ending(), model)?;
                break;
            }
        }
    }
}

/// Whether an answer may count as complete whose stream was closed without a word.
fn check_end(ending: Ending, model: &EndpointRef) -> Result<(), Failure> {
    if ending == Ending::Complete {
        return Ok(());
    }
    tracing::warn!(target: "syfthub.aggregator.generate", path = model.path(), "model.stream.unterminated");
    if ending == Ending::BrokenOff {
        return Err(Failure::GaveUp("the answer broke off".to_owned()));
    }
    Ok(())
}
