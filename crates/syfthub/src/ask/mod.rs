//! `syfthub ask`: the main job from a terminal. It does what a published SDK does: looks the endpoints
//! up, fetches a satellite token per owner, posts to the aggregator and reads the stream.

mod events;
pub(crate) mod hub;
mod markers;
mod view;

use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use futures::StreamExt as _;
use serde_json::{Value, json};

use self::events::{Done, Event};
use self::hub::{Endpoint, HubClient};
use self::view::View;
use crate::cli::AskArgs;
use crate::login::credential::Credential;
use crate::{login, node_command, terminal};

/// As many sources as one question may search.
const MOST_SOURCES: usize = 10;

/// Asks and shows the answer. The exit code is 0 only if there was one.
pub(crate) async fn run(args: AskArgs) -> anyhow::Result<ExitCode> {
    ensure!(!args.question.trim().is_empty(), "the question is empty");
    let named = args.token_file.as_deref().map(node_command::read_secret).transpose()?;
    let address = login::hub(args.hub.clone())?;
    let token = match Credential::find(&address, named)? {
        Some(credential) => Some(credential.token().await?),
        None => None,
    };
    let hub = HubClient::new(address, token)?;
    hub.check().await?;
    let (model, sources) = choose(&hub, &args).await?;
    let request = request(&hub, &args, &model, &sources).await?;
    if args.json {
        let done = follow(&hub, &request, |_| Ok(())).await?;
        terminal::line(done.raw.to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut view = View::of_process();
    view.introduce(&model.path(), &sources.iter().map(Endpoint::path).collect::<Vec<_>>())?;
    follow(&hub, &request, |event| view.show(event)).await?;
    Ok(ExitCode::SUCCESS)
}

/// The endpoints that were named, or the hub's public ones.
async fn choose(hub: &HubClient, args: &AskArgs) -> anyhow::Result<(Endpoint, Vec<Endpoint>)> {
    let mut sources = Vec::new();
    for path in &args.sources {
        let source = hub.find(path).await?;
        ensure!(source.is_source(), "{path} is not a data source");
        sources.push(source);
    }
    let named = match &args.model {
        Some(path) => Some(hub.find(path).await?),
        None => None,
    };
    if let (Some(model), false) = (&named, sources.is_empty()) {
        ensure!(model.is_model(), "{} is not a model", model.path());
        return Ok((model.clone(), sources));
    }
    let published = hub.published().await?;
    if sources.is_empty() {
        sources =
            published.iter().filter(|e| e.is_source() && e.usable()).take(MOST_SOURCES).cloned().collect();
    }
    let model = match named {
        Some(model) => model,
        None => match published.into_iter().find(|endpoint| endpoint.is_model() && endpoint.usable()) {
            Some(model) => model,
            None => bail!(
                "this hub has no public model that is up: publish one with `syfthub node --model extract …`, \
                 or name one with --model owner/slug"
            ),
        },
    };
    ensure!(model.is_model(), "{} is not a model", model.path());
    Ok((model, sources))
}

async fn request(
    hub: &HubClient,
    args: &AskArgs,
    model: &Endpoint,
    sources: &[Endpoint],
) -> anyhow::Result<Value> {
    let mut owners: Vec<&str> =
        sources.iter().chain([model]).map(|endpoint| endpoint.owner.as_str()).collect();
    owners.sort_unstable();
    owners.dedup();
    let tokens = hub.satellite_tokens(&owners).await?;
    Ok(json!({
        "prompt": args.question,
        "model": model.reference(),
        "data_sources": sources.iter().map(Endpoint::reference).collect::<Vec<_>>(),
        "endpoint_tokens": tokens,
        "top_k": args.top_k,
        "stream": true,
    }))
}

/// Reads the stream to its end. An answer that breaks off is no answer.
async fn follow(
    hub: &HubClient,
    request: &Value,
    mut show: impl FnMut(&Event) -> std::io::Result<()>,
) -> anyhow::Result<Done> {
    let mut stream = Box::pin(hub.stream(request).await?);
    while let Some(frame) = stream.next().await {
        let frame = frame.context("the answer broke off")?;
        let (Some(name), Some(data)) = (&frame.event, &frame.data) else { continue };
        let event = Event::parse(name, data).context("the hub sent an event that cannot be read")?;
        show(&event)?;
        match event {
            Event::Done(done) => return Ok(*done),
            Event::Failed(message) => bail!("no answer: {}", terminal::harmless(&message)),
            _ => {}
        }
    }
    bail!("the answer broke off before its end")
}
