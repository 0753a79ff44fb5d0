//! `search_documents`: documents of data sources, without a model.

use serde_json::json;
use syfthub_domain::Result;
use syfthub_web::Fields;

use super::asking::{self, Question};
use super::{Outcome, Progress, Tools, object};
use crate::access::Caller;

/// The name that clients' configurations know.
pub(crate) const NAME: &str = "search_documents";

const DEFAULT_TOP_K: i64 = 5;

/// The arguments.
pub(crate) struct Request {
    query: String,
    data_sources: Vec<String>,
    top_k: u32,
}

impl Request {
    pub(crate) fn read(mut fields: Fields) -> Result<Self> {
        let query = fields.string("query").length(1, 4000).required();
        let data_sources = asking::read_sources(&mut fields, 1);
        if data_sources.is_none() && !fields.contains("data_sources") {
            fields.reject("data_sources", "Field required");
        }
        let top_k = fields.int("top_k").range(1, 20).or(DEFAULT_TOP_K);
        let valid = fields.finish()?;
        let top_k = u32::try_from(top_k).unwrap_or_default();
        Ok(Self { query: query.take(&valid), data_sources: data_sources.unwrap_or_default(), top_k })
    }
}

/// Asks data sources.
pub(crate) async fn run(
    tools: &Tools,
    caller: &Caller,
    request: Request,
    progress: &impl Progress,
) -> Outcome {
    let question = Question {
        prompt: &request.query,
        model: None,
        data_sources: &request.data_sources,
        top_k: request.top_k,
    };
    match asking::ask(tools, caller, &question, progress).await {
        Ok(done) => {
            let documents = done.sources.into_iter();
            let documents: Vec<_> = documents
                .map(|found| json!({"path": found.path, "title": found.title, "content": found.content}))
                .collect();
            Outcome::Good(json!({
                "success": true,
                "documents": documents,
                "sources": asking::sources(done.retrieval_info),
                "metadata": {"retrieval_time_ms": done.retrieval_time_ms},
                "query": request.query,
                "timestamp": tools.clock.now(),
            }))
        }
        Err(error) => tools.failure(NAME, error, object(json!({"query": request.query, "documents": []}))),
    }
}
