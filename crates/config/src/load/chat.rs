//! How the chat service treats sources, documents and prompts.

use super::optional::secret;
use crate::chat_settings::{ChatRules, Reranker};
use crate::reader::Reader;

/// Reads limits and filters of a chat.
pub(super) fn chat_rules(reader: &mut Reader) -> ChatRules {
    ChatRules {
        calls_per_owner: reader.integer("AGGREGATOR_MAX_CALLS_PER_OWNER", 64),
        breaker_failures: reader.integer("AGGREGATOR_BREAKER_FAILURES", 5),
        breaker_pause: reader.seconds("AGGREGATOR_BREAKER_PAUSE", 30),
        straggler_wait: reader.seconds("AGGREGATOR_STRAGGLER_WAIT", 2),
        mask_secrets: reader.flag("AGGREGATOR_MASK_SECRETS", true),
        context_tokens: reader.integer("AGGREGATOR_CONTEXT_TOKENS", 32_000),
        reranker: reranker(reader),
    }
}

fn reranker(reader: &mut Reader) -> Option<Reranker> {
    let api_key = secret(reader, "AGGREGATOR_RERANK_API_KEY");
    let model = reader.optional("AGGREGATOR_RERANK_MODEL", |_, text| Some(text.to_owned()), String::clone);
    let timeout = reader.seconds("AGGREGATOR_RERANK_TIMEOUT", 2);
    let mut url = reader.url("AGGREGATOR_RERANK_URL")?;
    if url.path() == "/" {
        url.set_path("/rerank");
    }
    Some(Reranker { url, api_key, model, timeout })
}
