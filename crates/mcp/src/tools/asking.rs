//! What asking a model and asking data sources have in common: finding endpoints, tokens for their owners, and
//! following the aggregator.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};
use syfthub_domain::{EndpointPath, Error, ErrorCode, Result};
use syfthub_proto::chat::{AskEvent, AskRequest, Done, EndpointRef, SourceStatus, ask_event::Event};
use syfthub_proto::directory::{Endpoint, ResolveEndpointsRequest};
use syfthub_proto::identity::MintSatelliteTokensRequest;
use syfthub_rpc::{stubs, with_deadline};
use syfthub_web::Fields;
use tonic::Streaming;

use super::{Progress, Tools, error_of};
use crate::access::Caller;

/// Time for the whole answer.
const DEADLINE: Duration = Duration::from_mins(2);
/// Time for each question to the hub before it.
const HUB_DEADLINE: Duration = Duration::from_secs(10);
/// Data sources of one question.
const MAX_SOURCES: usize = 10;

/// Reads the paths of data sources, without repetitions.
pub(super) fn read_sources(fields: &mut Fields, at_least: usize) -> Option<Vec<String>> {
    let sources = fields
        .strings("data_sources")
        .items(at_least, MAX_SOURCES)
        .rule(|paths| paths.iter().try_for_each(|path| is_path(path)))
        .optional();
    let mut seen = BTreeSet::new();
    sources.map(|mut paths| {
        paths.retain(|path| seen.insert(path.clone()));
        paths
    })
}

pub(super) fn is_path(path: &str) -> std::result::Result<(), String> {
    match EndpointPath::parse(path) {
        Some(_) => Ok(()),
        None => Err(format!("`{path}` is not a path like owner/slug")),
    }
}

/// What is asked of whom.
pub(super) struct Question<'q> {
    /// The text.
    pub(super) prompt: &'q str,
    /// `None` for documents only.
    pub(super) model: Option<&'q str>,
    pub(super) data_sources: &'q [String],
    /// 0 for the default.
    pub(super) top_k: u32,
}

/// Asks the aggregator on the caller's own credential.
pub(super) async fn ask(
    tools: &Tools,
    caller: &Caller,
    question: &Question<'_>,
    progress: &impl Progress,
) -> Result<Done> {
    let asked = tokio::time::timeout(DEADLINE, ask_in_time(tools, caller, question, progress)).await;
    asked.unwrap_or_else(|_| {
        Err(Error::new(ErrorCode::UpstreamTimeout, "The answer took longer than two minutes"))
    })
}

async fn ask_in_time(
    tools: &Tools,
    caller: &Caller,
    question: &Question<'_>,
    progress: &impl Progress,
) -> Result<Done> {
    let mut endpoints = resolve(tools, caller, question).await?;
    let model = question.model.map(|path| take(&mut endpoints, path)).transpose()?;
    let sources: Vec<Endpoint> =
        question.data_sources.iter().map(|path| take(&mut endpoints, path)).collect::<Result<_>>()?;
    let owners = sources.iter().chain(&model).map(|e| e.owner_username.clone()).collect();
    let request = AskRequest {
        prompt: question.prompt.to_owned(),
        retrieval_only: model.is_none(),
        model: Some(model.map(reference).unwrap_or_default()),
        data_sources: sources.into_iter().map(reference).collect(),
        endpoint_tokens: tokens(tools, caller, owners).await?,
        credential: caller.credential.expose().to_owned(),
        top_k: question.top_k,
        ..AskRequest::default()
    };
    let request = with_deadline(tonic::Request::new(request), DEADLINE);
    let events = stubs::chat_client(tools.chat.clone()).ask(request).await;
    follow(events.map_err(|refused| error_of(&refused))?.into_inner(), progress).await
}

async fn resolve(
    tools: &Tools,
    caller: &Caller,
    question: &Question<'_>,
) -> Result<HashMap<String, Endpoint>> {
    let mut paths = question.data_sources.to_vec();
    paths.extend(question.model.filter(|model| !paths.iter().any(|path| path == model)).map(str::to_owned));
    let request = ResolveEndpointsRequest { credential: caller.credential.expose().to_owned(), paths };
    let request = with_deadline(tonic::Request::new(request), HUB_DEADLINE);
    let found = stubs::directory_client(tools.hub.clone())
        .resolve_endpoints(request)
        .await
        .map_err(|refused| error_of(&refused))?
        .into_inner();
    if !found.missing.is_empty() {
        let text = format!("Endpoint not found: {}", found.missing.join(", "));
        return Err(Error::not_found(text));
    }
    let path = |e: &Endpoint| format!("{}/{}", e.owner_username, e.slug);
    Ok(found.endpoints.into_iter().map(|endpoint| (path(&endpoint), endpoint)).collect())
}

/// An endpoint that can be called. It stays in the map: a combined one may be model and source.
fn take(endpoints: &mut HashMap<String, Endpoint>, path: &str) -> Result<Endpoint> {
    let Some(endpoint) = endpoints.get(&path.to_lowercase()).or_else(|| endpoints.get(path)) else {
        return Err(Error::not_found(format!("Endpoint not found: {path}")));
    };
    if endpoint.url.is_empty() {
        let text = format!("Endpoint {path} has no address yet, so it cannot be called");
        return Err(Error::new(ErrorCode::RetrievalFailed, text));
    }
    Ok(endpoint.clone())
}

fn reference(endpoint: Endpoint) -> EndpointRef {
    EndpointRef {
        url: endpoint.url,
        slug: endpoint.slug,
        name: endpoint.name,
        tenant_name: endpoint.tenant_name,
        owner_username: endpoint.owner_username,
        query_override: String::new(),
        connection_type: endpoint.connection_type,
        upstream_model: endpoint.upstream_model,
    }
}

/// One satellite token per owner. An owner for whom none can be minted is left out; its endpoints then
/// refuse or let in a guest, and the answer says which.
async fn tokens(tools: &Tools, caller: &Caller, owners: BTreeSet<String>) -> Result<HashMap<String, String>> {
    let question = MintSatelliteTokensRequest {
        credential: caller.credential.expose().to_owned(),
        audiences: owners.into_iter().collect(),
    };
    let question = with_deadline(tonic::Request::new(question), HUB_DEADLINE);
    let minted = stubs::identity_client(tools.hub.clone())
        .mint_satellite_tokens(question)
        .await
        .map_err(|refused| error_of(&refused))?
        .into_inner();
    for failure in &minted.failures {
        tracing::info!(audience = failure.audience, code = failure.code, "mcp.token.not_minted");
    }
    Ok(minted.tokens.into_iter().map(|token| (token.audience, token.token)).collect())
}

/// Follows the aggregator to the end. Every source that answers and every piece of the answer is progress.
async fn follow(mut events: Streaming<AskEvent>, progress: &impl Progress) -> Result<Done> {
    let mut step = 0;
    while let Some(event) = events.next().await {
        let event = event.map_err(|refused| error_of(&refused))?.event;
        let told = match event {
            Some(Event::Done(done)) => return Ok(done),
            Some(Event::Failed(failed)) => {
                let code = ErrorCode::from_name(&failed.code).unwrap_or(ErrorCode::GenerationFailed);
                return Err(Error::new(code, failed.message));
            }
            Some(Event::RetrievalStart(start)) => format!("Asking {} data sources", start.sources),
            Some(Event::SourceComplete(source)) => {
                format!("{}: {}, {} documents", source.path, source.status, source.documents)
            }
            Some(Event::GenerationStart(_)) => "The model is answering".to_owned(),
            Some(Event::Token(token)) => token.content,
            _ => continue,
        };
        step += 1;
        progress.report(step, told).await;
    }
    Err(Error::new(ErrorCode::UpstreamFailed, "The answer ended before it was complete"))
}

/// What became of each data source.
pub(super) fn sources(told: Vec<SourceStatus>) -> Vec<Value> {
    told.into_iter()
        .map(|source| {
            let mut told = json!({
                "path": source.path,
                "status": source.status,
                "documents_retrieved": source.documents_retrieved,
            });
            if let Some(why) = source.error_message {
                told["error_message"] = why.into();
            }
            told
        })
        .collect()
}
