//! Collectives: data sources of several owners under one name.
//!
//! [`permissions`] says who may do what, [`transitions`] how memberships change, [`billing`] what members cost.

mod billing;
mod bodies;
mod member_routes;
mod membership;
mod permissions;
mod resolve;
pub(crate) mod routes;
mod shared;
mod shared_routes;
mod transitions;
pub(crate) mod wire;

use std::sync::Arc;

use rand::RngExt as _;
use serde_json::{Value, json};
use syfthub_auth::Principal;
use syfthub_domain::{
    CollectiveId, Error, ErrorCode, Result, SharedClock, Slug, UserId, derive_slug,
    is_reserved_collective_slug,
};
use syfthub_store::collectives::{self, CollectiveFilter, CollectiveRow, NewCollective, UNIQUE_SLUG};
use syfthub_store::{Db, Page, Reads, Tx, users};

use self::bodies::{Create, Update};
use crate::audit::{self, Origin};
use crate::endpoints::Endpoints;
use crate::mail::Mail;
use crate::parts::Parts;

/// Most collectives that one account runs.
const MAX_OWNED: i64 = 100;
/// Tries to find a free slug; with six random digits the first one is nearly always free.
const TRIES: usize = 5;
/// Numbers of six hexadecimal digits.
const SUFFIXES: u32 = 0x100_0000;

/// The rules of collectives.
#[derive(Debug)]
pub(crate) struct Collectives {
    db: Db,
    clock: SharedClock,
    mail: Arc<Mail>,
}

impl Collectives {
    /// Builds the feature.
    #[expect(clippy::unnecessary_wraps, reason = "every feature is built alike")]
    pub(crate) fn build(parts: &Parts) -> Result<Self> {
        Ok(Self { db: parts.db.clone(), clock: parts.clock.clone(), mail: Arc::clone(&parts.mail) })
    }

    /// Makes a collective that the caller runs.
    async fn create(&self, owner: &Principal, create: Create, origin: &Origin) -> Result<CollectiveRow> {
        let explicit = create.slug.is_some();
        let mut new = new_collective(owner.user_id, create)?;
        for _ in 0..TRIES {
            match self.insert(&new, origin).await {
                Ok(row) => return Ok(row),
                Err(Failure::SlugTaken) if explicit => break,
                Err(Failure::SlugTaken) => new.slug = suffixed(new.slug.as_str())?,
                Err(Failure::Other(error)) => return Err(error),
            }
        }
        Err(Error::new(
            ErrorCode::Conflict,
            format!("A collective with the slug '{}' exists already", new.slug),
        ))
    }

    async fn insert(
        &self,
        new: &NewCollective,
        origin: &Origin,
    ) -> std::result::Result<CollectiveRow, Failure> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        users::lock(&mut tx, new.owner_id).await?;
        if collectives::count_by_owner(&mut tx, new.owner_id).await? >= MAX_OWNED {
            let text = format!("An account runs at most {MAX_OWNED} collectives; remove one first");
            return Err(Failure::Other(Error::new(ErrorCode::BadRequest, text)));
        }
        let id = collectives::insert(&mut tx, new, now).await?;
        let mut entry = origin.entry(now, "collective.created", "collective", &new.slug);
        entry.after = Some(json!({"id": id, "name": new.name, "auto_approve": new.auto_approve}));
        audit::record(&mut tx, &entry).await?;
        let row = collectives::find_by_id(&mut tx, id).await?;
        tx.commit().await?;
        tracing::info!(target: "syfthub.api.collectives", collective_id = id.0, user_id = new.owner_id.0, "collective.created");
        row.ok_or_else(|| Failure::Other(unknown()))
    }

    /// A page of collectives, newest first.
    async fn list(&self, filter: &CollectiveFilter, page: Page) -> Result<Vec<CollectiveRow>> {
        Ok(collectives::list(&self.db, filter, page).await?)
    }

    /// One collective.
    async fn get(&self, id: CollectiveId) -> Result<CollectiveRow> {
        found(&self.db, id).await
    }

    /// One collective by its slug, in any case.
    async fn by_slug(&self, slug: &str) -> Result<CollectiveRow> {
        collectives::find_by_slug(&self.db, &slug.to_lowercase()).await?.ok_or_else(unknown)
    }

    /// The collectives that an endpoint belongs to; none for a path that leads nowhere the viewer may see.
    async fn by_endpoint(
        &self,
        endpoints: &Endpoints,
        owner: &str,
        slug: &str,
        viewer: Option<&Principal>,
    ) -> Result<Vec<CollectiveRow>> {
        match endpoints.by_path(owner, slug, viewer).await? {
            Some(item) => Ok(collectives::of_endpoint(&self.db, item.endpoint.id).await?),
            None => Ok(Vec::new()),
        }
    }

    /// Changes a collective.
    async fn update(
        &self,
        editor: &Principal,
        id: CollectiveId,
        update: Update,
        origin: &Origin,
    ) -> Result<CollectiveRow> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let mut row = locked(&mut tx, id).await?;
        permissions::may_change(&row, editor)?;
        let mut entry = origin.entry(now, "collective.updated", "collective", &row.slug);
        entry.before = Some(facts(&row));
        apply(&mut row, update);
        entry.after = Some(facts(&row));
        collectives::save(&mut tx, &row, now).await?;
        audit::record(&mut tx, &entry).await?;
        row.updated_at = now;
        tx.commit().await?;
        tracing::info!(target: "syfthub.api.collectives", collective_id = id.0, user_id = editor.user_id.0, "collective.updated");
        Ok(row)
    }

    /// Removes a collective with everything in it.
    async fn delete(&self, editor: &Principal, id: CollectiveId, origin: &Origin) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let row = locked(&mut tx, id).await?;
        permissions::may_change(&row, editor)?;
        collectives::delete(&mut tx, id).await?;
        let mut entry = origin.entry(self.clock.now(), "collective.deleted", "collective", &row.slug);
        entry.before = Some(facts(&row));
        audit::record(&mut tx, &entry).await?;
        tx.commit().await?;
        tracing::info!(target: "syfthub.api.collectives", collective_id = id.0, user_id = editor.user_id.0, "collective.deleted");
        Ok(())
    }
}

/// The collective with this id.
async fn found(from: impl Reads, id: CollectiveId) -> Result<CollectiveRow> {
    collectives::find_by_id(from, id).await?.ok_or_else(unknown)
}

/// The collective with this id, which nobody else changes until the end of `tx`.
async fn locked(tx: &mut Tx, id: CollectiveId) -> Result<CollectiveRow> {
    if !collectives::lock(tx, id).await? {
        return Err(unknown());
    }
    found(tx, id).await
}

fn unknown() -> Error {
    Error::not_found("Collective not found")
}

/// What the audit log tells of a collective.
fn facts(row: &CollectiveRow) -> Value {
    json!({"name": row.name, "auto_approve": row.auto_approve, "members": row.member_count})
}

fn apply(row: &mut CollectiveRow, update: Update) {
    row.name = update.name.unwrap_or_else(|| std::mem::take(&mut row.name));
    row.description = update.description.unwrap_or_else(|| std::mem::take(&mut row.description));
    row.about = update.about.unwrap_or_else(|| std::mem::take(&mut row.about));
    row.auto_approve = update.auto_approve.unwrap_or(row.auto_approve);
    update.icon_url.apply(&mut row.icon_url);
    row.tags = update.tags.unwrap_or_else(|| std::mem::take(&mut row.tags));
}

fn new_collective(owner_id: UserId, create: Create) -> Result<NewCollective> {
    let slug = match create.slug {
        Some(slug) => slug,
        None => derived(&create.name)?,
    };
    Ok(NewCollective {
        owner_id,
        name: create.name,
        slug,
        description: create.description,
        about: create.about,
        auto_approve: create.auto_approve,
        icon_url: create.icon_url,
        tags: create.tags,
    })
}

/// The slug that a name gives. A name without letters gives the word for the thing, which is reserved.
fn derived(name: &str) -> Result<Slug> {
    let base = derived_text(name);
    if is_reserved_collective_slug(&base) {
        return suffixed(&base);
    }
    Slug::parse_collective(&base).map_err(Error::internal)
}

/// The text that a name gives, reserved or not.
fn derived_text(name: &str) -> String {
    let base = derive_slug(name);
    // The word that stands in for a short name or one without letters is that of endpoints.
    if name.to_lowercase().contains("endpoint") { base } else { base.replacen("endpoint", "collective", 1) }
}

/// The slug with a hyphen and six random digits; the slug gives way, not they.
fn suffixed(base: &str) -> Result<Slug> {
    let slug = with_suffix(base, rand::rng().random_range(0..SUFFIXES));
    Slug::parse_collective(&slug).map_err(Error::internal)
}

fn with_suffix(base: &str, number: u32) -> String {
    // Only the first addition may not make the next one longer.
    let kept = base.get(..base.len().min(56)).unwrap_or(base).trim_end_matches('-');
    format!("{kept}-{number:06x}")
}

enum Failure {
    SlugTaken,
    Other(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl From<syfthub_store::Error> for Failure {
    fn from(error: syfthub_store::Error) -> Self {
        if error.is_unique(UNIQUE_SLUG) { Self::SlugTaken } else { Self::Other(error.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_derived_from_any_name() {
        for (name, expected) in [
            ("My Data", "my-data"),
            ("ab", "collective-ab"),
            ("Endpoint lab", "endpoint-lab"),
            ("blog", "blog"),
        ] {
            assert_eq!(derived(name).unwrap().as_str(), expected);
        }
        for (name, start) in [("日本", "collective-"), ("Members", "members-"), ("docs", "docs-")] {
            let slug = derived(name).unwrap();
            assert!(slug.as_str().starts_with(start) && slug.as_str().len() == start.len() + 6, "{slug}");
        }
        assert_eq!(with_suffix(&"x".repeat(63), 10).len(), 63);
        assert_eq!(with_suffix("data", 0xabc), "data-000abc");
    }

    proptest::proptest! {
        #[test]
        fn every_name_gives_a_good_slug(name in ".{1,100}") {
            let slug = derived(&name).unwrap();
            proptest::prop_assert!(Slug::parse_collective(slug.as_str()).is_ok(), "{}", slug);
            proptest::prop_assert!(suffixed(slug.as_str()).unwrap().as_str().len() <= 63);
        }
    }
}
