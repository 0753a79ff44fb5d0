//! `chat_with_syfthub`.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use syfthub_domain::Result;
use syfthub_proto::chat::Done;
use syfthub_web::Fields;

use super::asking::{self, Question, is_path};
use super::{Outcome, Progress, Tools, citations, object};
use crate::access::Caller;

/// The name that clients' configurations know.
pub(crate) const NAME: &str = "chat_with_syfthub";

/// The arguments.
pub(crate) struct Request {
    prompt: String,
    model: String,
    data_sources: Vec<String>,
}

impl Request {
    pub(crate) fn read(mut fields: Fields) -> Result<Self> {
        let prompt = fields.string("prompt").length(1, 4000).required();
        let model = fields.string("model").length(1, 200).rule(|path| is_path(path)).required();
        let data_sources = asking::read_sources(&mut fields, 0).unwrap_or_default();
        let valid = fields.finish()?;
        Ok(Self { prompt: prompt.take(&valid), model: model.take(&valid), data_sources })
    }
}

/// Asks a model.
pub(crate) async fn run(
    tools: &Tools,
    caller: &Caller,
    request: Request,
    progress: &impl Progress,
) -> Outcome {
    let question = Question {
        prompt: &request.prompt,
        model: Some(&request.model),
        data_sources: &request.data_sources,
        top_k: 0,
    };
    match asking::ask(tools, caller, &question, progress).await {
        Ok(done) => Outcome::Good(answer(tools, caller, &request, done)),
        Err(error) => {
            let about = object(json!({"prompt": request.prompt, "model": request.model}));
            tools.failure(NAME, error, about)
        }
    }
}

fn answer(tools: &Tools, caller: &Caller, request: &Request, done: Done) -> Value {
    let names: BTreeMap<u32, String> =
        done.citations.iter().map(|citation| (citation.number, citation.path.clone())).collect();
    json!({
        "success": true,
        "response": citations::name(&done.response, &names),
        "sources": asking::sources(done.retrieval_info),
        "metadata": {
            "retrieval_time_ms": done.retrieval_time_ms,
            "generation_time_ms": done.generation_time_ms,
            "total_time_ms": done.total_time_ms,
        },
        "prompt": request.prompt,
        "model": request.model,
        "data_sources_used": request.data_sources,
        "user": caller.username,
        "timestamp": tools.clock.now(),
    })
}
