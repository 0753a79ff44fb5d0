//! The one way from a row to what a viewer is shown: addresses are completed, policies picked, health filled in.

use serde_json::Value;
use syfthub_auth::Principal;
use syfthub_domain::Tag;
use syfthub_store::endpoints::EndpointWithOwner;

use super::wire::{EndpointCard, EndpointPublic, FullEndpoint};
use super::{connections, policies, visibility};

/// The items of a JSON list; rows hold nothing else.
pub(crate) fn items(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

fn texts(tags: &[Tag]) -> Vec<String> {
    tags.iter().map(|tag| tag.as_str().to_owned()).collect()
}

fn shown_policies(item: &EndpointWithOwner, viewer: Option<&Principal>) -> Vec<Value> {
    policies::personalize(items(&item.endpoint.policies), visibility::audience(item, viewer))
}

fn shown_connections(item: &EndpointWithOwner) -> Vec<Value> {
    connections::show(items(&item.endpoint.connect), item.owner_domain.as_deref())
}

/// For owner and admins.
pub(crate) fn full(item: &EndpointWithOwner, viewer: Option<&Principal>) -> FullEndpoint {
    let row = &item.endpoint;
    FullEndpoint {
        id: row.id.0,
        user_id: row.user_id.0,
        name: row.name.clone(),
        slug: row.slug.as_str().to_owned(),
        description: row.description.clone(),
        kind: row.kind,
        visibility: row.visibility,
        is_active: row.is_active && !row.admin_disabled,
        archived: row.archived,
        contributors: row.contributors.iter().map(|id| id.0).collect(),
        version: row.version.as_str().to_owned(),
        readme: row.readme.clone(),
        tags: texts(&row.tags),
        stars_count: row.stars_count,
        policies: shown_policies(item, viewer),
        connect: shown_connections(item),
        created_at: row.created_at,
        updated_at: row.updated_at,
        health_status: row.health_status,
        health_checked_at: row.health_checked_at,
        health_ttl_seconds: row.health_ttl_seconds,
    }
}

/// What searches show.
pub(crate) fn card(item: &EndpointWithOwner, viewer: Option<&Principal>) -> EndpointCard {
    let row = &item.endpoint;
    EndpointCard {
        name: row.name.clone(),
        slug: row.slug.as_str().to_owned(),
        description: row.description.clone(),
        kind: row.kind,
        owner_username: item.owner_username.as_str().to_owned(),
        contributors_count: row.contributors.len(),
        version: row.version.as_str().to_owned(),
        readme: row.readme.clone(),
        tags: texts(&row.tags),
        stars_count: row.stars_count,
        policies: shown_policies(item, viewer),
        connect: shown_connections(item),
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

/// For everybody.
pub(crate) fn public(item: &EndpointWithOwner, viewer: Option<&Principal>) -> EndpointPublic {
    EndpointPublic {
        card: card(item, viewer),
        health_status: item.endpoint.health_status,
        health_checked_at: item.endpoint.health_checked_at,
        archived: item.endpoint.archived,
    }
}

/// A page for everybody.
pub(crate) fn public_list(items: &[EndpointWithOwner], viewer: Option<&Principal>) -> Vec<EndpointPublic> {
    items.iter().map(|item| public(item, viewer)).collect()
}
