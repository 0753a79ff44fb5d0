//! Asks the model: one call, read as it arrives.

mod envelope;
mod stream;

use futures::FutureExt;
use futures::stream::Stream;
use serde_json::{Value, json};

pub(crate) use envelope::Usage;
use envelope::{ANSWER, Envelope};
use stream::{Ending, Item, Reader};

use crate::chat::{Ask, EndpointRef, Tokens};
use crate::prompt::Message;
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
    /// Token counts.
    Usage(Usage),
    /// What its policies report; not trusted.
    Policy(Value),
}

/// Asks the model of `ask` with `messages`. With `streamed` the pieces come as the model makes them,
/// if it can stream; without, the text comes in one piece.
pub(crate) fn generate<'a>(
    space: &'a Space,
    ask: &'a Ask,
    tokens: &'a Tokens,
    messages: &'a [Message],
    streamed: bool,
) -> impl Stream<Item = Result<Piece, Failure>> + Send + 'a {
    async_stream::try_stream! {
        let body = json!({
            "messages": messages,
            "max_tokens": ask.max_tokens,
            "temperature": ask.temperature,
            "stream": streamed,
            "stop_sequences": [],
        });
        let accept = if streamed { Accept::EventStream } else { Accept::Json };
        let reply = space.query(&Target::new(&ask.model, tokens), &body, accept).await?;
        if reply.is_event_stream() {
            for await piece in read_stream(reply, &ask.model) {
                yield piece?;
            }
        } else {
            let (json, _held) = reply.json(ANSWER, MAX_ENVELOPE).await?;
            let envelope = Envelope::read(&json);
            if envelope.text.len() > MAX_ANSWER {
                Err(Failure::TooLarge)?;
            }
            if !envelope.text.is_empty() {
                yield Piece::Text(envelope.text);
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
