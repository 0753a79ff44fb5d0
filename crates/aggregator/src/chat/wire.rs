//! The JSON of answers and events, as the published SDKs read it.

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value, json};
use syfthub_web::sse;

use super::event::{Answer, Attempt, Event, Failed, Source, SourceInfo};

/// The answer of `/chat`.
pub(crate) fn response_json(answer: &Answer) -> Value {
    json!({
        "response": answer.response,
        "sources": sources(&answer.sources),
        "retrieval_info": retrieval_info(&answer.retrieval_info),
        "metadata": metadata(answer),
        "usage": answer.usage,
        "profit_share": profit_share(answer),
        "billing": answer.billing.to_json(),
        "citations": citations(answer),
    })
}

/// Name and data of an event. SDKs take an unknown name for an error, so the set is closed.
pub(crate) fn event_json(event: &Event) -> (&'static str, Value) {
    match event {
        Event::RetrievalStart { sources } => ("retrieval_start", json!({"sources": sources})),
        Event::SourceComplete { path, status, documents } => {
            ("source_complete", json!({"path": path, "status": status, "documents": documents}))
        }
        Event::RerankingStart { documents } => ("reranking_start", json!({"documents": documents})),
        Event::RerankingComplete { documents, time_ms } => {
            ("reranking_complete", json!({"documents": documents, "time_ms": time_ms}))
        }
        Event::RetrievalComplete { total_documents, time_ms } => {
            ("retrieval_complete", json!({"total_documents": total_documents, "time_ms": time_ms}))
        }
        Event::GenerationStart => ("generation_start", json!({})),
        Event::GenerationHeartbeat { elapsed_ms } => {
            ("generation_heartbeat", json!({"elapsed_ms": elapsed_ms}))
        }
        Event::Token(content) => ("token", json!({"content": content})),
        // These routes offer no functions, so nothing is left out.
        Event::ToolCalls(_) => ("token", json!({"content": ""})),
        Event::Done(answer) => ("done", done_json(answer)),
        Event::Failed(failed) => ("error", failed_json(failed)),
    }
}

/// The frame of an event. A token is written as it is, because there are thousands of them.
pub(crate) fn frame(event: &Event) -> Bytes {
    #[derive(Serialize)]
    struct Token<'t> {
        content: &'t str,
    }
    if let Event::Token(content) = event {
        return sse::frame("token", &Token { content });
    }
    let (name, data) = event_json(event);
    sse::frame(name, &data)
}

fn done_json(answer: &Answer) -> Value {
    let mut done = Map::new();
    if answer.is_annotated {
        done.insert("response".into(), answer.response.as_str().into());
    }
    done.insert("sources".into(), sources(&answer.sources));
    done.insert("retrieval_info".into(), retrieval_info(&answer.retrieval_info));
    done.insert("metadata".into(), metadata(answer));
    if let Some(usage) = answer.usage {
        done.insert("usage".into(), json!(usage));
    }
    if answer.profit_share.is_some() {
        done.insert("profit_share".into(), profit_share(answer));
    }
    let billing = answer.billing.to_json();
    if !billing.is_null() {
        done.insert("billing".into(), billing);
    }
    if answer.is_annotated {
        done.insert("citations".into(), citations(answer));
    }
    done.into()
}

/// What an answer has beyond its text, for interfaces whose own shape has no place for it.
pub(crate) fn beyond_text_json(answer: &Answer) -> Value {
    let mut about = done_json(answer);
    if let Value::Object(keys) = &mut about {
        keys.remove("usage");
        keys.entry("profit_share").or_insert(Value::Null);
        keys.entry("billing").or_insert(Value::Null);
        keys.entry("citations").or_insert_with(|| json!({}));
    }
    about
}

fn failed_json(failed: &Failed) -> Value {
    json!({"message": failed.error.message, "code": failed.error.code.name(), "billing": failed.billing.to_json()})
}

fn sources(sources: &[Source]) -> Value {
    let entry =
        |source: &Source| (source.title.clone(), json!({"slug": source.path, "content": source.content}));
    Value::Object(sources.iter().map(entry).collect())
}

fn retrieval_info(infos: &[SourceInfo]) -> Value {
    infos
        .iter()
        .map(|info| {
            json!({
                "path": info.path,
                "documents_retrieved": info.documents_retrieved,
                "status": info.status,
                "error_message": info.error_message,
            })
        })
        .collect()
}

fn metadata(answer: &Answer) -> Value {
    let mut metadata = Map::new();
    metadata.insert("retrieval_time_ms".into(), answer.retrieval_time_ms.into());
    metadata.insert("generation_time_ms".into(), answer.generation_time_ms.into());
    metadata.insert("total_time_ms".into(), answer.total_time_ms.into());
    if let Some(reason) = &answer.finish_reason {
        metadata.insert("finish_reason".into(), reason.as_str().into());
    }
    if answer.citations_removed > 0 {
        metadata.insert("citations_removed".into(), answer.citations_removed.into());
    }
    if !answer.attempts.is_empty() {
        let attempt = |attempt: &Attempt| json!({"path": attempt.path, "outcome": attempt.outcome, "time_ms": attempt.time_ms});
        metadata.insert("attempts".into(), answer.attempts.iter().map(attempt).collect());
    }
    if let Some(saved) = answer.conversation_saved {
        metadata.insert("conversation_saved".into(), saved.into());
    }
    metadata.into()
}

fn profit_share(answer: &Answer) -> Value {
    let Some(shares) = &answer.profit_share else { return Value::Null };
    Value::Object(shares.iter().map(|(path, share)| (path.clone(), json!(share))).collect())
}

/// What the numbers in the answer stand for.
pub(super) fn citations(answer: &Answer) -> Value {
    let entry = |citation: &super::event::Citation| {
        let passage = citation.passage.as_ref();
        let about = json!({
            "slug": citation.path,
            "title": citation.title,
            "passage": passage.map(|passage| &passage.text),
            "span": passage.map(|passage| [passage.start, passage.end]),
        });
        (citation.number.to_string(), about)
    };
    Value::Object(answer.citations.iter().map(entry).collect())
}
