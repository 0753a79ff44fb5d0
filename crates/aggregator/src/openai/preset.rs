//! Presets: a model, its sources and parameters that somebody saved under a name.

use std::time::Duration;

use syfthub_config::Secret;
use syfthub_domain::{EndpointPath, Error, ErrorCode, Result};
use syfthub_proto::directory::{ListPresetsRequest, Preset, ResolvePresetRequest};
use syfthub_rpc::{Peer, status, stubs, with_deadline};

use super::request::Question;

/// Longest wait for the directory.
const DEADLINE: Duration = Duration::from_secs(5);
/// Presets that are listed.
const PAGE: u32 = 100;

/// The preset at `path`, if there is one that the caller may use.
pub(super) async fn find(
    hub: &Peer,
    credential: Option<&Secret>,
    path: &EndpointPath,
) -> Result<Option<Preset>> {
    let request = ResolvePresetRequest { credential: text_of(credential), path: path.to_string() };
    let request = with_deadline(tonic::Request::new(request), DEADLINE);
    let found = stubs::directory_client(hub.clone()).resolve_preset(request).await;
    match found.map_err(|refusal| status::from_status(&refusal)) {
        Ok(found) => Ok(found.into_inner().preset),
        Err(error) if error.code == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Puts the preset that `question` names in the place of its model; false when there is none. What the request
/// says itself counts more than what the preset says, and its sources come on top.
pub(super) async fn apply(
    hub: &Peer,
    question: &mut Question,
    credential: Option<&Secret>,
    max_sources: usize,
) -> Result<bool> {
    let Some(preset) = find(hub, credential, &question.named.model).await? else { return Ok(false) };
    let unusable = || Error::internal(format!("the preset {} has no usable path", preset.slug));
    question.named.model = EndpointPath::parse(&preset.model).ok_or_else(unusable)?;
    let mut sources = Vec::with_capacity(preset.sources.len() + question.named.sources.len());
    for source in &preset.sources {
        sources.push(EndpointPath::parse(source).ok_or_else(unusable)?);
    }
    for source in std::mem::take(&mut question.named.sources) {
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    if sources.len() > max_sources {
        let text =
            format!("At most {max_sources} data sources are asked at once, those of the preset included");
        return Err(Error::coded(ErrorCode::BadRequest, text).with_extra("param", "model"));
    }
    question.named.sources = sources;
    parameters(question, &preset);
    Ok(true)
}

fn parameters(question: &mut Question, preset: &Preset) {
    let (ask, sent) = (&mut question.ask, question.sent);
    if let Some(top_k) = preset.top_k.filter(|_| !sent.top_k) {
        ask.top_k = usize::try_from(top_k).unwrap_or(ask.top_k);
    }
    if let Some(max_tokens) = preset.max_tokens.filter(|_| !sent.max_tokens) {
        ask.max_tokens = max_tokens;
    }
    if let Some(temperature) = preset.temperature.filter(|_| !sent.temperature) {
        ask.temperature = temperature;
    }
    if let Some(threshold) = preset.similarity_threshold.filter(|_| !sent.similarity_threshold) {
        ask.similarity_threshold = threshold;
    }
    if ask.custom_system_prompt.is_none() && !preset.system_prompt.is_empty() {
        ask.custom_system_prompt = Some(preset.system_prompt.clone());
        if let Some(turns) = &mut ask.turns {
            turns.all.insert(0, serde_json::json!({"role": "system", "content": preset.system_prompt}));
            turns.question += 1;
        }
    }
}

/// The newest presets that the caller may use.
pub(super) async fn list(hub: &Peer, credential: Option<&Secret>) -> Result<Vec<Preset>> {
    let request = ListPresetsRequest { credential: text_of(credential), skip: 0, limit: PAGE };
    let request = with_deadline(tonic::Request::new(request), DEADLINE);
    let listed = stubs::directory_client(hub.clone()).list_presets(request).await;
    Ok(listed.map_err(|refusal| status::from_status(&refusal))?.into_inner().presets)
}

fn text_of(credential: Option<&Secret>) -> String {
    credential.map(|credential| credential.expose().to_owned()).unwrap_or_default()
}
