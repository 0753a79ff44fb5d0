//! Passes chats on to a server that speaks OpenAI's chat completions.

use std::time::Duration;

use async_stream::try_stream;
use futures::StreamExt as _;
use serde_json::{Value, json};
use syfthub_config::Secret;
use syfthub_domain::{Error, ErrorCode, Result};
use syfthub_egress::{Client, Limits, Response};
use url::Url;

use super::events::{Reader, usage};
use super::{Ask, Reply, Whole};

/// Bounds of one answer. Local models on small machines are slow.
const LIMITS: Limits =
    Limits { connect: Duration::from_secs(10), total: Duration::from_mins(5), max_body: 16 * 1024 * 1024 };
/// How much of an error text is shown.
const MAX_DETAIL: usize = 300;

/// A model on a server.
#[derive(Debug)]
pub(crate) struct OpenAi {
    client: Client,
    url: Url,
    model: String,
    key: Option<Secret>,
}

impl OpenAi {
    pub(super) fn new(base: Url, model: String, key: Option<Secret>) -> Result<Self> {
        let mut url = base;
        url.path_segments_mut()
            .map_err(|()| {
                Error::new(ErrorCode::BadRequest, "The model's address must be an http or https URL")
            })?
            .pop_if_empty()
            .extend(["chat", "completions"]);
        // The operator named this server; no user ever supplies this address.
        let client = Client::operator(LIMITS)?;
        Ok(Self { client, url, model, key })
    }

    pub(super) fn name(&self) -> &str {
        &self.model
    }

    pub(super) async fn ask(&self, ask: Ask) -> Result<Reply> {
        let mut request = self.client.post(self.url.clone()).json(&self.body(&ask));
        if let Some(key) = &self.key {
            request = request.bearer(key);
        }
        let response = request.send().await.map_err(unreachable_server)?;
        if !response.status().is_success() {
            return Err(refused(response).await);
        }
        if ask.streams && response.media_type().as_deref() == Some("text/event-stream") {
            return Ok(Reply::Events(events(response).boxed()));
        }
        let reply: Value = response.json_capped(LIMITS.max_body).await.map_err(unreachable_server)?;
        Ok(Reply::Whole(self.whole(&reply)?))
    }

    fn body(&self, ask: &Ask) -> Value {
        let mut body = json!({"model": self.model, "messages": ask.messages, "stream": ask.streams});
        if ask.streams {
            body["stream_options"] = json!({"include_usage": true});
        }
        if let Some(max) = ask.max_tokens {
            body["max_tokens"] = max.into();
        }
        if let Some(temperature) = ask.temperature {
            body["temperature"] = temperature.into();
        }
        if !ask.stop.is_empty() {
            body["stop"] = json!(ask.stop);
        }
        body
    }

    fn whole(&self, reply: &Value) -> Result<Whole> {
        let text = |pointer: &str| reply.pointer(pointer).and_then(Value::as_str);
        let content = text("/choices/0/message/content").ok_or_else(|| {
            Error::new(ErrorCode::UpstreamFailed, "The model server's answer is not a chat completion")
        })?;
        Ok(Whole {
            text: content.to_owned(),
            model: text("/model").unwrap_or(&self.model).to_owned(),
            usage: usage(reply),
            finish_reason: text("/choices/0/finish_reason").unwrap_or("stop").to_owned(),
        })
    }
}

fn events(mut response: Response) -> impl futures::Stream<Item = Result<super::Event>> + Send {
    try_stream! {
        let mut reader = Reader::default();
        while let Some(piece) = response.chunk().await.map_err(unreachable_server)? {
            let mut found = Vec::new();
            let result = reader.push(&piece, &mut found);
            for event in found {
                yield event;
            }
            result.map_err(|broken| fault(&broken))?;
            if reader.is_done() {
                break;
            }
        }
        for event in reader.finish().map_err(|broken| fault(&broken))? {
            yield event;
        }
    }
}

fn fault(fault: &super::events::Fault) -> Error {
    Error::new(ErrorCode::UpstreamFailed, format!("The answer broke off: {fault}"))
}

fn unreachable_server(error: syfthub_egress::Error) -> Error {
    let (code, text) = match error {
        syfthub_egress::Error::Timeout => {
            (ErrorCode::UpstreamTimeout, "The model server did not answer in time")
        }
        syfthub_egress::Error::TooLarge { .. } => {
            (ErrorCode::UpstreamFailed, "The model server's answer is too large")
        }
        syfthub_egress::Error::Invalid(_) => {
            (ErrorCode::UpstreamFailed, "The model server's answer is not JSON")
        }
        _ => (ErrorCode::UpstreamFailed, "The model server behind this endpoint cannot be reached"),
    };
    Error::new(code, text).with_source(error)
}

/// An error of the server, in terms of this endpoint: its key and its name are the node's affair, a chat
/// that does not fit is the caller's.
async fn refused(response: Response) -> Error {
    let status = response.status().as_u16();
    let text = response.excerpt(8 * 1024).await;
    let detail = serde_json::from_str::<Value>(&text).ok().and_then(|body| {
        let message =
            body.pointer("/error/message").or_else(|| body.get("error")).or_else(|| body.get("message"));
        message.and_then(Value::as_str).map(str::to_owned)
    });
    let detail = detail.unwrap_or_default();
    let detail = crate::text::clip(&detail, MAX_DETAIL);
    let said = if detail.is_empty() { String::new() } else { format!(": {detail}") };
    match status {
        400 | 413 | 422 => {
            Error::new(ErrorCode::BadRequest, format!("The model server refused the chat{said}"))
        }
        429 => Error::new(ErrorCode::Unavailable, "The model server is busy; try again shortly")
            .with_retry_after(Duration::from_secs(5)),
        401 | 403 => {
            tracing::error!(status, "node.model.key_refused");
            Error::new(ErrorCode::UpstreamFailed, "The model server does not accept this node's key")
        }
        404 => {
            Error::new(ErrorCode::UpstreamFailed, format!("The model server does not know this model{said}"))
        }
        _ => Error::new(
            ErrorCode::UpstreamFailed,
            format!("The model server answered with status {status}{said}"),
        ),
    }
}
