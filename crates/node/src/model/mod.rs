//! The model that a node publishes.

mod events;
mod openai;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use syfthub_domain::Result;

use crate::config::ModelConfig;
use crate::extract;
use crate::server::{Message, Usage};
use openai::OpenAi;

/// A chat that was checked.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) messages: Vec<Message>,
    pub(crate) max_tokens: Option<u32>,
    pub(crate) temperature: Option<f64>,
    pub(crate) stop: Vec<String>,
    /// Whether the answer is wanted piece by piece.
    pub(crate) streams: bool,
}

/// An answer.
pub(crate) enum Reply {
    /// In one piece.
    Whole(Whole),
    /// Piece by piece.
    Events(BoxStream<'static, Result<Event>>),
}

/// An answer in one piece.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Whole {
    pub(crate) text: String,
    pub(crate) model: String,
    pub(crate) usage: Option<Usage>,
    pub(crate) finish_reason: String,
}

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    /// More text.
    Text(String),
    /// It is complete.
    End {
        /// Why it ended: `stop`, `length`, …
        finish_reason: String,
        /// Tokens, when they are known.
        usage: Option<Usage>,
    },
}

/// The two kinds of model.
#[derive(Debug)]
pub(crate) enum Model {
    /// Quotes the documents in the prompt.
    Extract,
    /// Passes the chat on.
    OpenAi(Box<OpenAi>),
}

impl Model {
    pub(crate) fn new(config: &ModelConfig) -> Result<Self> {
        Ok(match config {
            ModelConfig::Extract { .. } => Self::Extract,
            ModelConfig::OpenAi { base_url, model, key, .. } => {
                Self::OpenAi(Box::new(OpenAi::new(base_url.clone(), model.clone(), key.clone())?))
            }
        })
    }

    /// The name that replies carry.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Extract => extract::NAME,
            Self::OpenAi(model) => model.name(),
        }
    }

    pub(crate) async fn ask(&self, ask: Ask) -> Result<Reply> {
        match self {
            Self::Extract => extracted(ask).await,
            Self::OpenAi(model) => model.ask(ask).await,
        }
    }
}

async fn extracted(ask: Ask) -> Result<Reply> {
    let streams = ask.streams;
    // Megabytes of documents take a while to go through; the other requests should not wait for that.
    let whole = tokio::task::spawn_blocking(move || extract_now(&ask))
        .await
        .map_err(syfthub_domain::Error::internal)?;
    if !streams {
        return Ok(Reply::Whole(whole));
    }
    let mut events: Vec<Result<Event>> =
        extract::pieces(&whole.text).map(|piece| Ok(Event::Text(piece.to_owned()))).collect();
    events.push(Ok(Event::End { finish_reason: whole.finish_reason, usage: whole.usage }));
    Ok(Reply::Events(futures::stream::iter(events).boxed()))
}

fn extract_now(ask: &Ask) -> Whole {
    let message = ask.messages.iter().rev().find(|message| message.role == "user");
    let wishes =
        extract::Wishes { max_tokens: ask.max_tokens.map(|max| max as usize), stop: ask.stop.clone() };
    let answer = extract::answer(message.map_or("", |message| &message.content), &wishes);
    let prompt_tokens: usize =
        ask.messages.iter().map(|message| extract::estimate_tokens(&message.content)).sum();
    let (prompt_tokens, completion_tokens) =
        (prompt_tokens as u64, extract::estimate_tokens(&answer.text) as u64);
    Whole {
        text: answer.text,
        model: extract::NAME.to_owned(),
        usage: Some(Usage {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens + completion_tokens,
        }),
        finish_reason: answer.finish_reason.to_owned(),
    }
}
