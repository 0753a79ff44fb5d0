//! `chat.v1`: the same events for our own services.

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use serde_json::{Map, Value, json};
use syfthub_proto::chat as proto;
use syfthub_proto::chat::ask_event::Event as Wire;
use syfthub_proto::chat::chat_service_server::ChatService;
use syfthub_rpc::status::to_status;
use syfthub_rpc::{Caller, require};
use tonic::{Request, Response, Status};

use super::event::{Answer, Citation, Event, Failed};
use super::{Chat, Delivery, request};

/// Serves `chat.v1` to the MCP service and the command line.
#[derive(Debug, Clone)]
pub(crate) struct ChatGrpc(pub(crate) Arc<Chat>);

#[tonic::async_trait]
impl ChatService for ChatGrpc {
    type AskStream = Pin<Box<dyn Stream<Item = Result<proto::AskEvent, Status>> + Send>>;

    async fn ask(&self, request: Request<proto::AskRequest>) -> Result<Response<Self::AskStream>, Status> {
        require(&request, &[Caller::Mcp, Caller::Cli])?;
        // One validator for both doors: the message becomes the JSON body that `/chat` would receive.
        let ask = request::read(to_body(request.into_inner()), None, &self.0.settings)
            .map_err(|error| to_status(&error))?;
        self.0.admit(ask.credential.as_ref()).await.map_err(|error| to_status(&error))?;
        let events = self.0.ask(ask, Delivery::Streamed).map(|event| Ok(to_wire(event)));
        Ok(Response::new(Box::pin(events)))
    }
}

fn to_body(message: proto::AskRequest) -> Value {
    let mut body = Map::new();
    let endpoints: Vec<Value> = message.data_sources.into_iter().map(endpoint).collect();
    let fallbacks: Vec<Value> = message.fallback_models.into_iter().map(endpoint).collect();
    let turns: Vec<Value> = message
        .messages
        .into_iter()
        .map(|turn| json!({"role": turn.role, "content": turn.content}))
        .collect();
    let fields = [
        ("prompt", Some(message.prompt.into())),
        ("model", message.model.map(endpoint)),
        ("data_sources", Some(endpoints.into())),
        ("endpoint_tokens", Some(json!(message.endpoint_tokens))),
        ("user_token", (!message.credential.is_empty()).then(|| message.credential.into())),
        ("top_k", (message.top_k > 0).then(|| message.top_k.into())),
        ("max_tokens", (message.max_tokens > 0).then(|| message.max_tokens.into())),
        ("temperature", message.temperature.map(Value::from)),
        ("similarity_threshold", message.similarity_threshold.map(Value::from)),
        ("custom_system_prompt", message.custom_system_prompt.map(Value::from)),
        ("messages", Some(turns.into())),
        ("retrieval_only", Some(message.retrieval_only.into())),
        ("require_all_sources", Some(message.require_all_sources.into())),
        ("fallback_models", Some(fallbacks.into())),
    ];
    for (key, value) in fields {
        if let Some(value) = value {
            body.insert(key.to_owned(), value);
        }
    }
    body.into()
}

fn endpoint(endpoint: proto::EndpointRef) -> Value {
    let nullable = |text: String| (!text.is_empty()).then_some(text);
    json!({
        "url": endpoint.url,
        "slug": endpoint.slug,
        "name": endpoint.name,
        "tenant_name": nullable(endpoint.tenant_name),
        "owner_username": nullable(endpoint.owner_username),
        "query_override": nullable(endpoint.query_override),
        "connection_type": nullable(endpoint.connection_type),
        "upstream_model": nullable(endpoint.upstream_model),
    })
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn to_wire(event: Event) -> proto::AskEvent {
    let event = match event {
        Event::RetrievalStart { sources } => {
            Wire::RetrievalStart(proto::RetrievalStart { sources: count(sources) })
        }
        Event::SourceComplete { path, status, documents } => Wire::SourceComplete(proto::SourceComplete {
            path,
            status: status.as_str().to_owned(),
            documents: count(documents),
        }),
        Event::RerankingStart { documents } => {
            Wire::RerankingStart(proto::RerankingStart { documents: count(documents) })
        }
        Event::RerankingComplete { documents, time_ms } => {
            Wire::RerankingComplete(proto::RerankingComplete { documents: count(documents), time_ms })
        }
        Event::RetrievalComplete { total_documents, time_ms } => {
            Wire::RetrievalComplete(proto::RetrievalComplete {
                total_documents: count(total_documents),
                time_ms,
            })
        }
        Event::GenerationStart => Wire::GenerationStart(proto::GenerationStart {}),
        Event::GenerationHeartbeat { elapsed_ms } => {
            Wire::GenerationHeartbeat(proto::GenerationHeartbeat { elapsed_ms })
        }
        Event::Token(content) => Wire::Token(proto::Token { content }),
        // This interface offers no functions, so nothing is left out.
        Event::ToolCalls(_) => Wire::Token(proto::Token { content: String::new() }),
        Event::Done(answer) => Wire::Done(done(*answer)),
        Event::Failed(failed) => Wire::Failed(failure(&failed)),
    };
    proto::AskEvent { event: Some(event) }
}

fn done(answer: Answer) -> proto::Done {
    proto::Done {
        response: answer.response,
        sources: answer
            .sources
            .into_iter()
            .map(|source| proto::Source { title: source.title, path: source.path, content: source.content })
            .collect(),
        retrieval_info: answer
            .retrieval_info
            .into_iter()
            .map(|info| proto::SourceStatus {
                path: info.path,
                documents_retrieved: count(info.documents_retrieved),
                status: info.status.as_str().to_owned(),
                error_message: info.error_message,
            })
            .collect(),
        retrieval_time_ms: answer.retrieval_time_ms,
        generation_time_ms: answer.generation_time_ms,
        total_time_ms: answer.total_time_ms,
        usage: answer.usage.map(|usage| proto::Usage {
            prompt_tokens: usage.prompt,
            completion_tokens: usage.completion,
            total_tokens: usage.total,
        }),
        profit_share: answer.profit_share.into_iter().flatten().collect(),
        citations: answer.citations.into_iter().map(cited).collect(),
        billing_json: json_or_empty(&answer.billing.to_json()),
        finish_reason: answer.finish_reason.unwrap_or_default(),
        attempts: answer
            .attempts
            .into_iter()
            .map(|attempt| proto::Attempt {
                path: attempt.path,
                outcome: attempt.outcome.as_str().to_owned(),
                time_ms: attempt.time_ms,
            })
            .collect(),
        citations_removed: count(answer.citations_removed),
    }
}

fn cited(citation: Citation) -> proto::Citation {
    let (start, end) = citation.passage.as_ref().map_or((0, 0), |passage| (passage.start, passage.end));
    proto::Citation {
        number: count(citation.number),
        path: citation.path,
        title: citation.title,
        passage: citation.passage.map(|passage| passage.text).unwrap_or_default(),
        passage_start: count(start),
        passage_end: count(end),
    }
}

fn failure(failed: &Failed) -> proto::Failed {
    proto::Failed {
        code: failed.error.code.name().to_owned(),
        message: failed.error.message.clone(),
        billing_json: json_or_empty(&failed.billing.to_json()),
    }
}

fn json_or_empty(billing: &Value) -> String {
    if billing.is_null() { String::new() } else { billing.to_string() }
}
