//! Replacing everything that an owner has published, in one change or not at all.

use serde_json::{Value, json};
use syfthub_auth::Principal;
use syfthub_domain::{Error, ErrorCode, Result};
use syfthub_store::endpoints::{self, EndpointWithOwner};

use super::input::Create;
use super::{Endpoints, contributors, new_endpoint, slug_taken, slugs};

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
        let mut made = Vec::with_capacity(items.len());
        for mut item in items {
            let slug = match item.slug.take() {
                Some(slug) => slug,
                None => slugs::choose(&item.name, &taken, now)?,
            };
            taken.push(slug.as_str().to_owned());
            let people = contributors(&mut tx, &item.contributors, owner.user_id).await?;
            let new = new_endpoint(owner.user_id, item, slug, people);
            let row = endpoints::insert(&mut tx, &new, now).await.map_err(|error| slug_taken(error, &new))?;
            made.push(row);
        }
        tx.commit().await?;
        self.listings.changed().await;
        let synced = made.len();
        tracing::info!(target: "syfthub.api.endpoints", user_id = owner.user_id.0, synced, deleted, "endpoint.synced");
        Ok(Replaced { deleted, endpoints: made })
    }
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
