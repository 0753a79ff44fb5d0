//! `/v1/models`: what can be asked, as OpenAI's clients list it.

use serde_json::{Value, json};
use syfthub_config::Secret;
use syfthub_domain::{EndpointPath, Error, Result};
use syfthub_proto::directory::{Endpoint, Preset};
use syfthub_rpc::Peer;

use super::preset;
use crate::published::{self, Published, path_of};

/// All models that the caller may use.
pub(super) async fn list(hub: &Peer, credential: Option<&Secret>) -> Result<Value> {
    let models = published::models(hub, credential).await?;
    let presets = preset::list(hub, credential).await?;
    let mut data: Vec<Value> = models.iter().map(to_json).chain(presets.iter().map(preset_json)).collect();
    data.sort_by(|a, b| a["id"].as_str().cmp(&b["id"].as_str()));
    Ok(json!({"object": "list", "data": data}))
}

/// One model, listed or not, if the caller may see it.
pub(super) async fn one(hub: &Peer, credential: Option<&Secret>, id: &str) -> Result<Value> {
    let unknown = || Error::not_found(format!("The model `{id}` does not exist, or you may not see it"));
    let path = EndpointPath::parse(id).ok_or_else(unknown)?;
    let found = Published::find(hub, credential, &[&path]).await?;
    match found.get(&path) {
        Some(endpoint) => Some(endpoint).filter(|endpoint| published::is_model(endpoint)).map(to_json),
        None => preset::find(hub, credential, &path).await?.as_ref().map(preset_json),
    }
    .ok_or_else(unknown)
}

fn to_json(endpoint: &Endpoint) -> Value {
    json!({
        "id": path_of(endpoint),
        "object": "model",
        "created": endpoint.created_at_us / 1_000_000,
        "owned_by": endpoint.owner_username,
        "syfthub": {"name": endpoint.name, "description": endpoint.description},
    })
}

fn preset_json(preset: &Preset) -> Value {
    json!({
        "id": format!("{}/{}", preset.owner_username, preset.slug),
        "object": "model",
        "created": preset.created_at_us / 1_000_000,
        "owned_by": preset.owner_username,
        "syfthub": {
            "name": preset.name,
            "description": preset.description,
            "preset": {"model": preset.model, "sources": preset.sources},
        },
    })
}
