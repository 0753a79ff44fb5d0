//! `chat_with_syfthub`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};
use syfthub_domain::{EndpointPath, Error, ErrorCode, Result};
use syfthub_proto::chat::{AskEvent, AskRequest, Done, EndpointRef, ask_event::Event};
use syfthub_proto::directory::{Endpoint, ResolveEndpointsRequest};
use syfthub_proto::identity::MintSatelliteTokensRequest;
use syfthub_rpc::{stubs, with_deadline};
use syfthub_web::Fields;
use tonic::Streaming;

use super::{Outcome, Progress, Tools, citations, error_of};
use crate::access::Caller;

/// The name that clients' configurations know.
pub(crate) const NAME: &str = "chat_with_syfthub";

/// Time for the whole answer.
const DEADLINE: Duration = Duration::from_mins(2);
/// Time for each question to the hub before it.
const HUB_DEADLINE: Duration = Duration::from_secs(10);

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
        let sources = fields
            .strings("data_sources")
            .items(0, 10)
            .rule(|paths| paths.iter().try_for_each(|path| is_path(path)))
            .optional();
        let valid = fields.finish()?;
        let mut seen = BTreeSet::new();
        let mut data_sources = sources.unwrap_or_default();
        data_sources.retain(|path| seen.insert(path.clone()));
        Ok(Self { prompt: prompt.take(&valid), model: model.take(&valid), data_sources })
    }
}

fn is_path(path: &str) -> std::result::Result<(), String> {
    match EndpointPath::parse(path) {
        Some(_) => Ok(()),
        None => Err(format!("`{path}` is not a path like owner/slug")),
    }
}

/// Asks the aggregator on the caller's own credential.
pub(crate) async fn run(
    tools: &Tools,
    caller: &Caller,
    request: Request,
    progress: &impl Progress,
) -> Outcome {
    let asked = tokio::time::timeout(DEADLINE, ask(tools, caller, &request, progress)).await;
    let asked = asked.unwrap_or_else(|_| {
        Err(Error::new(ErrorCode::UpstreamTimeout, "The answer took longer than two minutes"))
    });
    match asked {
        Ok(done) => Outcome::Good(answer(tools, caller, &request, done)),
        Err(error) => {
            tools.failed(NAME, &error);
            Outcome::Bad(json!({
                "success": false,
                "error": error.message,
                "error_type": class(error.code),
                "prompt": request.prompt,
                "model": request.model,
                "timestamp": tools.clock.now(),
            }))
        }
    }
}

/// What went wrong, as coarsely as a language model needs it.
fn class(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::NotFound | ErrorCode::AudienceNotFound => "endpoint_not_found",
        ErrorCode::Unauthenticated | ErrorCode::PermissionDenied => "authentication",
        ErrorCode::RetrievalFailed
        | ErrorCode::GenerationFailed
        | ErrorCode::ModelAccessDenied
        | ErrorCode::SourceAccessDenied
        | ErrorCode::UpstreamFailed
        | ErrorCode::UpstreamTimeout
        | ErrorCode::Unavailable => "aggregator",
        _ => "other",
    }
}

async fn ask(tools: &Tools, caller: &Caller, request: &Request, progress: &impl Progress) -> Result<Done> {
    let mut endpoints = resolve(tools, caller, request).await?;
    let model = take(&mut endpoints, &request.model)?;
    let sources: Vec<Endpoint> =
        request.data_sources.iter().map(|path| take(&mut endpoints, path)).collect::<Result<_>>()?;
    let owners = sources.iter().chain([&model]).map(|e| e.owner_username.clone()).collect();
    let question = AskRequest {
        prompt: request.prompt.clone(),
        model: Some(reference(model)),
        data_sources: sources.into_iter().map(reference).collect(),
        endpoint_tokens: tokens(tools, caller, owners).await?,
        credential: caller.credential.expose().to_owned(),
        ..AskRequest::default()
    };
    let question = with_deadline(tonic::Request::new(question), DEADLINE);
    let events = stubs::chat_client(tools.chat.clone()).ask(question).await;
    follow(events.map_err(|refused| error_of(&refused))?.into_inner(), progress).await
}

async fn resolve(tools: &Tools, caller: &Caller, request: &Request) -> Result<HashMap<String, Endpoint>> {
    let mut paths = request.data_sources.clone();
    if !paths.contains(&request.model) {
        paths.push(request.model.clone());
    }
    let question = ResolveEndpointsRequest { credential: caller.credential.expose().to_owned(), paths };
    let question = with_deadline(tonic::Request::new(question), HUB_DEADLINE);
    let found = stubs::directory_client(tools.hub.clone())
        .resolve_endpoints(question)
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

async fn follow(mut events: Streaming<AskEvent>, progress: &impl Progress) -> Result<Done> {
    let mut step = 0;
    let mut first_token = true;
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
            Some(Event::Token(_)) if std::mem::take(&mut first_token) => "The answer has begun".to_owned(),
            _ => continue,
        };
        step += 1;
        progress.report(step, told).await;
    }
    Err(Error::new(ErrorCode::UpstreamFailed, "The answer ended before it was complete"))
}

fn answer(tools: &Tools, caller: &Caller, request: &Request, done: Done) -> Value {
    let names: BTreeMap<u32, String> =
        done.citations.iter().map(|citation| (citation.number, citation.path.clone())).collect();
    let sources: Vec<Value> = done
        .retrieval_info
        .into_iter()
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
        .collect();
    json!({
        "success": true,
        "response": citations::name(&done.response, &names),
        "sources": sources,
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
