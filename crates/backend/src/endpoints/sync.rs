//! Replacing everything that an owner has published, in one change or not at all.

use std::collections::HashSet;

use serde_json::{Value, json};
use syfthub_auth::Principal;
use syfthub_domain::{Error, ErrorCode, Result, UserId};
use syfthub_store::endpoints::{self, EndpointWithOwner};

use super::input::Create;
use super::{Endpoints, contributors, new_endpoint, slugs};
use crate::audit::{self, Origin};

/// What a replacement did.
#[derive(Debug)]
pub(crate) struct Replaced {
    /// How many endpoints there were before.
    pub deleted: u64,
    /// What there is now, in the order of the request.
    pub endpoints: Vec<EndpointWithOwner>,
}

impl Endpoints {
    /// Removes all endpoints of the caller and publishes `items` instead. Ids, stars and health start anew.
    pub(crate) async fn sync(&self, owner: &Principal, items: Vec<Create>) -> Result<Replaced> {
        refuse_repeated_slugs(&items)?;
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let deleted = endpoints::delete_by_owner(&mut tx, owner.user_id).await?;
        // Derived slugs stay clear of those that the batch names, wherever they stand in it.
        let mut taken = endpoints::taken_slugs(&mut tx, owner.user_id).await?;
        taken.extend(items.iter().filter_map(|item| item.slug.as_ref()).map(|slug| slug.as_str().to_owned()));
        let people: Vec<i64> = items.iter().flat_map(|item| item.contributors.iter().copied()).collect();
        let people: HashSet<UserId> =
            contributors(&mut tx, &people, owner.user_id).await?.into_iter().collect();
        let mut new = Vec::with_capacity(items.len());
        for mut item in items {
            let slug = match item.slug.take() {
                Some(slug) => slug,
                None => slugs::choose(&item.name, &taken, now)?,
            };
            taken.push(slug.as_str().to_owned());
            let mut given: Vec<UserId> = item.contributors.iter().map(|id| UserId(*id)).collect();
            given.retain(|id| *id != owner.user_id && people.contains(id));
            given.push(owner.user_id);
            new.push(new_endpoint(owner.user_id, item, slug, given));
        }
        let made = endpoints::insert_many(&mut tx, &new, now).await.map_err(slug_taken_by_batch)?;
        if deleted > 0 || !made.is_empty() {
            let mut entry = Origin::of(owner).entry(now, "endpoint.synced", "user", owner.user_id);
            entry.before = Some(json!({"endpoints": deleted}));
            let slugs: Vec<&str> = made.iter().map(|item| item.endpoint.slug.as_str()).collect();
            entry.after = Some(json!({"endpoints": made.len(), "slugs": slugs}));
            audit::record(&mut tx, &entry).await?;
        }
        tx.commit().await?;
        self.listings.changed().await;
        let synced = made.len();
        tracing::info!(target: "syfthub.api.endpoints", user_id = owner.user_id.0, synced, deleted, "endpoint.synced");
        Ok(Replaced { deleted, endpoints: made })
    }
}

/// A name of the batch that the owner uses for something else than an endpoint.
fn slug_taken_by_batch(error: syfthub_store::Error) -> Error {
    if endpoints::is_slug_conflict(&error) {
        return Error::new(
            ErrorCode::BadRequest,
            "slug already exists - already taken by something else of yours",
        );
    }
    error.into()
}

/// The first endpoint with a slug may have it; every later one is reported.
fn refuse_repeated_slugs(items: &[Create]) -> Result<()> {
    let slug = |item: &Create| item.slug.as_ref().map(|slug| slug.as_str().to_owned());
    let repeats = |index: usize, slug: &str| {
        items[..index].iter().any(|before| before.slug.as_ref().is_some_and(|s| s.as_str() == slug))
    };
    let errors: Vec<Value> = items
        .iter()
        .enumerate()
        .filter_map(|(index, item)| Some((index, slug(item)?)))
        .filter(|(index, slug)| repeats(*index, slug))
        .map(|(index, slug)| json!({"index": index, "field": "slug", "error": format!("Duplicate slug '{slug}' in batch")}))
        .collect();
    if errors.is_empty() {
        return Ok(());
    }
    // 400 with the code of a 422: the published clients look for exactly this.
    Err(Error::new(ErrorCode::BadRequest, "Batch validation failed; nothing was changed")
        .with_extra("code", ErrorCode::ValidationError.name())
        .with_extra("errors", errors))
}
