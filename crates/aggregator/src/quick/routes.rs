//! `GET /api/v1/q`, public as `/q`.

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::StreamExt;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use syfthub_config::Secret;
use syfthub_domain::{EndpointPath, Error, ErrorCode, Result};
use syfthub_web::{ApiError, ApiResult, Fields};

use super::page;
use super::query::{self, Entry, Query};
use crate::chat::event::{Answer, Event};
use crate::chat::routes::ChatRoutes;
use crate::chat::{Ask, Delivery, EndpointRef, wire};
use crate::published::Published;

/// Longest query, in characters.
const MAX_QUERY: usize = 20_000;

pub(crate) fn router(routes: ChatRoutes) -> Router {
    Router::new().route("/api/v1/q", get(answer)).with_state(routes)
}

async fn answer(State(routes): State<ChatRoutes>, request: Request) -> Response {
    let mut told = json!({
        "query": null, "model": null, "data_sources": [], "answer": null, "sources": {}, "error": null,
    });
    match work(&routes, request, &mut told).await {
        Ok(()) => page::response(StatusCode::OK, &told),
        Err(refused) => refusal(refused, told),
    }
}

/// A refusal is a page too, with the headers that it has elsewhere.
fn refusal(refused: ApiError, mut told: Value) -> Response {
    let code = refused.error().code;
    told["error"] = refused.error().message.as_str().into();
    let status = match code {
        ErrorCode::ValidationError => StatusCode::BAD_REQUEST,
        ErrorCode::NotFound
        | ErrorCode::GenerationFailed
        | ErrorCode::RetrievalFailed
        | ErrorCode::ModelAccessDenied
        | ErrorCode::SourceAccessDenied => StatusCode::BAD_GATEWAY,
        other => StatusCode::from_u16(other.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
    };
    let plain = refused.into_response();
    let mut answer = page::response(status, &told);
    let own: HeaderMap = std::mem::take(answer.headers_mut());
    let (parts, _) = plain.into_parts();
    *answer.headers_mut() = parts.headers;
    answer.headers_mut().extend(own);
    *answer.extensions_mut() = parts.extensions;
    answer
}

async fn work(routes: &ChatRoutes, request: Request, told: &mut Value) -> ApiResult<()> {
    let (mut parts, _) = request.into_parts();
    // A link on any page can make a browser open this one, so its cookie does not count.
    let claim = routes.claim(&mut parts).await?;
    let stand = claim.stand();
    let credential = claim.token()?;
    let (query, aggregate, model) = read(parts.uri.query().unwrap_or_default())?;
    told["query"] = query.as_str().into();
    let settings = routes.chat.settings();
    let max_sources = usize::try_from(settings.max_data_sources).unwrap_or(usize::MAX);
    let query = Query::parse(&query, max_sources)?;
    if query.entries.is_empty() && !aggregate {
        return Err(
            query::bad("Name at least one data source, or ask for an answer with aggregate=true").into()
        );
    }
    let model = if aggregate { Some(model_path(model, settings.query_model.as_ref())?) } else { None };
    routes.accept(credential.as_ref(), stand).await?;
    let mut ask = query::ask(query.question, settings, model.is_none());
    fill(routes, &mut ask, &query.entries, model.as_ref(), credential).await?;
    told["model"] = model.map(|model| model.to_string()).into();
    told["data_sources"] = ask.data_sources.iter().map(shown).collect();
    let answer = ended(routes, ask).await?;
    told["sources"] = wire::beyond_text_json(&answer)["sources"].take();
    if aggregate {
        told["answer"] = answer.plain.as_str().into();
    }
    Ok(())
}

/// `q`, `aggregate` and `model`.
fn read(query: &str) -> Result<(String, bool, Option<String>)> {
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    let pairs = pairs.map(|(name, value)| (name.into_owned(), Value::String(value.into_owned()))).collect();
    let mut fields = Fields::query(pairs);
    let query = fields.string("q").length(1, MAX_QUERY).required();
    let aggregate = fields.boolean("aggregate").or(false);
    let model = fields.string("model").length(1, 300).optional();
    let valid = fields.finish()?;
    Ok((query.take(&valid), aggregate, model))
}

fn model_path(asked: Option<String>, usual: Option<&EndpointPath>) -> Result<EndpointPath> {
    match asked {
        Some(text) => EndpointPath::parse(&text).ok_or_else(|| query::bad("`model` is a path like owner/slug")),
        None => usual.cloned().ok_or_else(|| {
            let text = "This hub has no model for /q; name one with model=owner/slug, or set AGGREGATOR_DEFAULT_QUERY_MODEL";
            Error::new(ErrorCode::NotConfigured, text)
        }),
    }
}

async fn fill(
    routes: &ChatRoutes,
    ask: &mut Ask,
    entries: &[Entry],
    model: Option<&EndpointPath>,
    credential: Option<Secret>,
) -> Result<()> {
    let fetcher = routes.chat.settings().url_fetcher.as_ref();
    let path = |entry: &'_ Entry| match entry {
        Entry::Source(path) => Ok(path.clone()),
        Entry::Page(_) => fetcher.cloned().ok_or_else(|| {
            let text = "This hub fetches no web addresses at /q; AGGREGATOR_URL_FETCHER_SLUG is not set";
            Error::new(ErrorCode::NotConfigured, text)
        }),
    };
    let sources: Vec<EndpointPath> = entries.iter().map(path).collect::<Result<_>>()?;
    let paths: Vec<&EndpointPath> = sources.iter().chain(model).collect();
    let found = Published::find(routes.chat.hub(), credential.as_ref(), &paths).await?;
    for (entry, path) in entries.iter().zip(&sources) {
        let query_override = match entry {
            Entry::Page(address) => Some(address.clone()),
            Entry::Source(_) => None,
        };
        ask.data_sources.push(EndpointRef { query_override, ..found.source(path)? });
    }
    if let Some(model) = model {
        ask.model = found.model(model)?;
    }
    ask.credential = credential;
    Ok(())
}

fn shown(source: &EndpointRef) -> Value {
    source.query_override.clone().unwrap_or_else(|| source.path()).into()
}

async fn ended(routes: &ChatRoutes, ask: Ask) -> ApiResult<Box<Answer>> {
    let mut events = routes.chat.ask(ask, Delivery::Whole);
    while let Some(event) = events.next().await {
        match event {
            Event::Done(answer) => return Ok(answer),
            Event::Failed(failed) => return Err(failed.error.into()),
            _ => {}
        }
    }
    Err(Error::internal("the chat ended without a last event").into())
}
