//! How the chat service treats sources, documents and prompts.

use std::time::Duration;

use url::Url;

use crate::Secret;

/// Limits and filters of a chat.
#[derive(Clone, Debug)]
pub struct ChatRules {
    /// Calls under way at once to the data sources of one owner at one address; more wait for their turn.
    pub calls_per_owner: u32,
    /// Failures in a row after which an endpoint is not asked for a while; 0 never stops asking.
    pub breaker_failures: u32,
    /// How long an endpoint is left alone the first time.
    pub breaker_pause: Duration,
    /// How long a source is waited for at least that is slower than ever while others have answered.
    pub straggler_wait: Duration,
    /// Whether keys, tokens and passwords in retrieved text are masked.
    pub mask_secrets: bool,
    /// Tokens that system text, history, documents, question and answer may take together.
    pub context_tokens: u32,
    /// A service that ranks documents; none means the built-in ranking alone.
    pub reranker: Option<Reranker>,
}

/// A service that ranks documents by a question.
#[derive(Clone, Debug)]
pub struct Reranker {
    /// Where it takes `POST`.
    pub url: Url,
    /// Sent as a bearer token.
    pub api_key: Option<Secret>,
    /// Name of the model, for services that have several.
    pub model: Option<String>,
    /// Longest wait; the built-in ranking counts after that.
    pub timeout: Duration,
}

impl ChatRules {
    /// The defaults.
    pub(crate) fn for_tests() -> Self {
        Self {
            calls_per_owner: 64,
            breaker_failures: 5,
            breaker_pause: Duration::from_secs(30),
            straggler_wait: Duration::from_secs(2),
            mask_secrets: true,
            context_tokens: 32_000,
            reranker: None,
        }
    }
}
