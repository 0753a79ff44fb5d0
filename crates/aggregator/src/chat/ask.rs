//! One question, checked and ready to be worked on.

use std::collections::HashMap;

use serde_json::Value;
use syfthub_config::Secret;

use crate::prompt::Message;

/// A published endpoint as the caller names it. The caller has resolved it; nothing is looked up here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct EndpointRef {
    /// Base address of the service behind it.
    pub url: String,
    /// Slug at that service.
    pub slug: String,
    /// Display name.
    pub name: String,
    /// Tenant at a service that has several.
    pub tenant_name: Option<String>,
    /// Owner in lower case, and so the audience of its satellite tokens.
    pub owner_username: Option<String>,
    /// Asked instead of the prompt, for sources that take something else than a question.
    pub query_override: Option<String>,
    /// How the service is spoken to.
    pub connection: Connection,
    /// Name of the model at a service that has several.
    pub upstream_model: Option<String>,
}

/// How the service behind an endpoint is spoken to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Connection {
    /// `POST {url}/api/v1/endpoints/{slug}/query`.
    #[default]
    Space,
    /// `POST {url}/chat/completions`, as OpenAI and many others serve it. Models only.
    OpenAi,
}

impl Connection {
    /// By the type of a published connection; what is not known is taken for a space, as it always was.
    pub(crate) fn of(connection_type: &str) -> Self {
        if connection_type.eq_ignore_ascii_case("openai") { Self::OpenAi } else { Self::Space }
    }

    /// The type of a published connection that is spoken to like this; empty for what needs no name.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Space => "",
            Self::OpenAi => "openai",
        }
    }
}

impl EndpointRef {
    /// `owner/slug`, or the slug alone when the owner is not known.
    pub(crate) fn path(&self) -> String {
        match &self.owner_username {
            Some(owner) => format!("{owner}/{}", self.slug),
            None => self.slug.clone(),
        }
    }
}

/// One question.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    /// The question, also the retrieval query.
    pub prompt: String,
    /// Who generates the answer.
    pub model: EndpointRef,
    /// Where documents come from; the order decides the order of `sources`.
    pub data_sources: Vec<EndpointRef>,
    /// Satellite tokens by owner, in lower case.
    pub endpoint_tokens: HashMap<String, Secret>,
    /// The caller's own credential at the hub. It goes to the hub and nowhere else.
    pub credential: Option<Secret>,
    /// Documents per source, and documents that the model sees.
    pub top_k: usize,
    /// Longest answer in tokens.
    pub max_tokens: u32,
    /// 0 to 2.
    pub temperature: f64,
    /// 0 to 1, applied by the sources.
    pub similarity_threshold: f64,
    /// Replaces our system text.
    pub custom_system_prompt: Option<String>,
    /// Earlier turns.
    pub messages: Vec<Message>,
    /// Only documents are wanted.
    pub retrieval_only: bool,
    /// A source that cannot be used ends the request.
    pub require_all_sources: bool,
    /// Asked in this order when the model before has said nothing.
    pub fallback_models: Vec<EndpointRef>,
    /// What else the model is told.
    pub sampling: Sampling,
    /// The conversation as it came, where it is more than a question and earlier turns.
    pub turns: Option<Turns>,
    /// The endpoints were found in the directory, so that tokens can be minted for them without another look.
    pub is_resolved: bool,
    /// The caller's conversation to which question and answer are added.
    pub conversation_id: Option<String>,
}

impl Ask {
    /// The model and those that stand in for it.
    pub(crate) fn models(&self) -> impl Iterator<Item = &EndpointRef> {
        std::iter::once(&self.model).chain(&self.fallback_models)
    }
}

/// Parameters of the generation that are passed on when they were given.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sampling {
    /// Nucleus sampling, 0 to 1.
    pub top_p: Option<f64>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// For answers that can be repeated.
    pub seed: Option<i64>,
    /// Whom the caller asks for.
    pub user: Option<String>,
    /// Shape of the answer.
    pub response_format: Option<Value>,
    /// Functions that the model may call; only [`Connection::OpenAi`] takes them.
    pub tools: Option<Value>,
    /// Which of them it must call.
    pub tool_choice: Option<Value>,
    /// Whether it may call several at once.
    pub parallel_tool_calls: Option<bool>,
}

/// A conversation in which every message is passed on as it came.
#[derive(Debug, Clone)]
pub(crate) struct Turns {
    /// All messages, checked.
    pub all: Vec<Value>,
    /// Which of them is the question.
    pub question: usize,
    /// Whether tools were called before, so that no turn can be left out.
    pub has_tools: bool,
}
