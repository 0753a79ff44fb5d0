//! One question, checked and ready to be worked on.

use std::collections::HashMap;

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
}
