//! What is published: create, change, find, list, star, report health.

pub(crate) mod connections;
pub(crate) mod health;
pub(crate) mod input;
mod listings;
pub(crate) mod mapper;
pub(crate) mod policies;
mod public;
pub(crate) mod public_routes;
mod ranking;
pub(crate) mod routes;
pub(crate) mod search;
pub(crate) mod slugs;
mod stars;
mod sync;
pub(crate) mod visibility;
pub mod wire;

use std::collections::HashSet;
use std::num::NonZero;
use std::sync::Arc;

use serde_json::{Value, json};
use syfthub_auth::Principal;
use syfthub_cache::Cache;
use syfthub_config::HealthCheck;
use syfthub_domain::{
    EndpointId, EndpointPath, Error, ErrorCode, Result, SharedClock, Slug, Tag, UserId, Visibility,
};
use syfthub_store::endpoints::{self, EndpointChange, EndpointWithOwner, NewEndpoint, OwnerFilter};
use syfthub_store::users::{self, UserRow};
use syfthub_store::{Db, Page, Tx};
use tokio::sync::Semaphore;

use crate::audit::{self, Origin};

use input::{AdminUpdate, Create, Update, effective_visibility};
use listings::Listings;

/// Most endpoints of one account. Listings and the search index hold all of them.
const MAX_OWNED: i64 = 1_000;
/// Searches that rank at once, for each core; the others wait for their turn.
const SEARCHES_PER_CORE: usize = 4;

/// The rules of endpoints.
#[derive(Debug)]
pub struct Endpoints {
    db: Db,
    clock: SharedClock,
    listings: Arc<Listings>,
    health: HealthCheck,
    /// Searches that may rank at once: each holds thousands of postings.
    searching: Semaphore,
}

impl Endpoints {
    pub(crate) fn new(db: Db, cache: Cache, clock: SharedClock, health: HealthCheck) -> Self {
        let searches = SEARCHES_PER_CORE * std::thread::available_parallelism().map_or(1, NonZero::get);
        let searching = Semaphore::new(searches);
        Self { db, clock, listings: Arc::new(Listings::new(cache)), health, searching }
    }

    /// Keeps the listings of this process in step with the other replicas.
    pub(crate) async fn follow_changes(&self) {
        self.listings.follow_changes().await;
    }

    /// Drops the kept listings everywhere, because something about an owner changed.
    pub(crate) async fn listings_changed(&self) {
        self.listings.changed().await;
    }

    /// Publishes an endpoint of the caller.
    pub(crate) async fn create(&self, owner: &Principal, create: Create) -> Result<EndpointWithOwner> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        endpoints::lock(&mut tx).await?;
        if endpoints::count_by_owner(&mut tx, owner.user_id).await? >= MAX_OWNED {
            let text = format!("An account has at most {MAX_OWNED} endpoints; remove one first");
            return Err(Error::new(ErrorCode::BadRequest, text));
        }
        let contributors = contributors(&mut tx, &create.contributors, owner.user_id).await?;
        let slug = match create.slug.clone() {
            Some(slug) => slug,
            None => slugs::choose(&create.name, &endpoints::taken_slugs(&mut tx, owner.user_id).await?, now)?,
        };
        let new = new_endpoint(owner.user_id, create, slug, contributors);
        let made = endpoints::insert(&mut tx, &new, now).await.map_err(|error| slug_taken(error, &new))?;
        self.record(&mut tx, owner, "endpoint.created", None, Some(&made)).await?;
        tx.commit().await?;
        self.listings.changed().await;
        log_change(&made, owner, Change::Created);
        Ok(made)
    }

    /// The caller's own endpoints in every state.
    pub(crate) async fn own(
        &self,
        owner: &Principal,
        filter: &OwnerFilter,
        page: Page,
    ) -> Result<Vec<EndpointWithOwner>> {
        Ok(endpoints::list_by_owner(&self.db, owner.user_id, filter, page).await?)
    }

    /// One endpoint, if the caller may see it.
    pub(crate) async fn get(&self, viewer: &Principal, id: EndpointId) -> Result<EndpointWithOwner> {
        let found = endpoints::find_by_id(&self.db, id).await?;
        found.filter(|item| visibility::may_see(item, Some(viewer))).ok_or_else(unknown)
    }

    /// One endpoint by its path, whoever may see it.
    pub(crate) async fn by_path(
        &self,
        owner: &str,
        slug: &str,
        viewer: Option<&Principal>,
    ) -> Result<Option<EndpointWithOwner>> {
        let (owner, slug) = (owner.to_lowercase(), slug.to_lowercase());
        let found = endpoints::find_by_owner_and_slug(&self.db, &owner, &slug).await?;
        Ok(found.filter(|item| visibility::may_see(item, viewer)))
    }

    /// Endpoints at these paths in every state; who may see them is the caller's to ask.
    pub(crate) async fn resolve(&self, paths: &[EndpointPath]) -> Result<Vec<EndpointWithOwner>> {
        Ok(endpoints::resolve_many(&self.db, paths).await?)
    }

    /// Whether the path leads to something that guests may not see but its owner may. Endpoints that are
    /// switched off or of inactive owners are as good as gone for everybody else.
    pub(crate) async fn is_hidden(&self, owner: &str, slug: &str) -> Result<bool> {
        let (owner, slug) = (owner.to_lowercase(), slug.to_lowercase());
        let found = endpoints::find_by_owner_and_slug(&self.db, &owner, &slug).await?;
        Ok(found.is_some_and(|item| item.endpoint.visibility != Visibility::Public))
    }

    /// A page of an owner's endpoints: what is listed, and for the owner and admins everything active.
    pub(crate) async fn of_owner(
        &self,
        owner: &UserRow,
        viewer: Option<&Principal>,
        page: Page,
    ) -> Result<Vec<EndpointWithOwner>> {
        if viewer.is_some_and(|viewer| viewer.user_id == owner.id || viewer.is_admin()) {
            let filter = OwnerFilter { active_only: true, ..OwnerFilter::default() };
            return Ok(endpoints::list_by_owner(&self.db, owner.id, &filter, page).await?);
        }
        Ok(endpoints::list_public_by_owner(&self.db, owner.username.as_str(), page).await?)
    }

    /// Whether the caller has an active endpoint with this slug.
    pub(crate) async fn exists(&self, owner: &Principal, slug: &str) -> Result<bool> {
        let found =
            endpoints::find_by_owner_and_slug(&self.db, owner.username.as_str(), &slug.to_lowercase())
                .await?;
        Ok(found.is_some_and(|item| item.endpoint.is_active && !item.endpoint.admin_disabled))
    }

    /// The id of the caller's own endpoint with this slug.
    pub(crate) async fn own_id(&self, owner: &Principal, slug: &str) -> Result<EndpointId> {
        let found =
            endpoints::find_by_owner_and_slug(&self.db, owner.username.as_str(), &slug.to_lowercase())
                .await?;
        found.map(|item| item.endpoint.id).ok_or_else(unknown)
    }

    /// Changes an endpoint that the caller runs, switched on or not.
    pub(crate) async fn update(
        &self,
        editor: &Principal,
        id: EndpointId,
        update: Update,
    ) -> Result<EndpointWithOwner> {
        let mut tx = self.db.begin().await?;
        endpoints::lock(&mut tx).await?;
        let before = editable(&mut tx, editor, id).await?;
        let change = self.change(&mut tx, &before, update).await?;
        let after = endpoints::update(&mut tx, id, &change, self.clock.now()).await?;
        if let Some(after) = after.as_ref().filter(|after| facts(&before) != facts(after)) {
            self.record(&mut tx, editor, "endpoint.updated", Some(&before), Some(after)).await?;
        }
        tx.commit().await?;
        self.listings.changed().await;
        let after = after.ok_or_else(unknown)?;
        log_change(&after, editor, Change::Updated);
        Ok(after)
    }

    async fn change(
        &self,
        tx: &mut Tx,
        before: &EndpointWithOwner,
        update: Update,
    ) -> Result<EndpointChange> {
        let row = &before.endpoint;
        let stored = mapper::items(&row.connect);
        let connect = update
            .connect
            .map(|sent| Value::Array(connections::restore(sent, stored, before.owner_domain.as_deref())));
        let tags_before: Vec<String> = row.tags.iter().map(|tag| tag.as_str().to_owned()).collect();
        let mut tags_after = update.tags.unwrap_or_else(|| tags_before.clone());
        let policies_after = update.policies.as_deref().unwrap_or(mapper::items(&row.policies));
        policies::add_prepaid_tag(&mut tags_after, policies_after);
        let archived = update.archived.unwrap_or(row.archived);
        let contributors = match update.contributors {
            Some(ids) => Some(contributors(tx, &ids, row.user_id).await?),
            None => None,
        };
        Ok(EndpointChange {
            name: update.name,
            description: update.description,
            visibility: effective_visibility(archived, update.visibility),
            archived: update.archived,
            version: update.version,
            readme: update.readme,
            tags: (tags_after != tags_before).then(|| tags(tags_after)),
            contributors,
            policies: update.policies.map(Value::Array),
            connect,
        })
    }

    /// Sets what only an admin may set. Switching on ends an inactivity that failed checks caused too.
    pub(crate) async fn admin_update(
        &self,
        admin: &Principal,
        id: EndpointId,
        update: AdminUpdate,
    ) -> Result<EndpointWithOwner> {
        if !admin.is_admin() {
            return Err(Error::forbidden("Only an admin may do this"));
        }
        let mut tx = self.db.begin().await?;
        let before = endpoints::find_by_id(&mut tx, id).await?.ok_or_else(unknown)?;
        let after = endpoints::set_admin_flags(&mut tx, id, update.is_active, update.stars_count).await?;
        self.record(&mut tx, admin, "endpoint.admin_updated", Some(&before), after.as_ref()).await?;
        tx.commit().await?;
        self.listings.changed().await;
        let after = after.ok_or_else(unknown)?;
        log_change(&after, admin, Change::Updated);
        Ok(after)
    }

    /// Removes an endpoint that the caller runs.
    pub(crate) async fn delete(&self, editor: &Principal, id: EndpointId) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let item = editable(&mut tx, editor, id).await?;
        endpoints::delete(&mut tx, id).await?;
        self.record(&mut tx, editor, "endpoint.deleted", Some(&item), None).await?;
        tx.commit().await?;
        self.listings.changed().await;
        log_change(&item, editor, Change::Deleted);
        Ok(())
    }
}

impl Endpoints {
    /// Removes everything that a user has published.
    pub(crate) async fn withdraw(&self, owner: UserId) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let removed = endpoints::delete_by_owner(&mut tx, owner).await?;
        if removed > 0 {
            let mut entry =
                Origin::system("hub").entry(self.clock.now(), "endpoint.withdrawn", "user", owner);
            entry.before = Some(json!({"endpoints": removed}));
            audit::record(&mut tx, &entry).await?;
        }
        tx.commit().await?;
        if removed > 0 {
            self.listings.changed().await;
            tracing::info!(target: "syfthub.api.endpoints", user_id = owner.0, removed, "endpoint.deleted");
        }
        Ok(())
    }
}

/// The endpoint if the caller runs it: 404 if there is none, 403 if it is somebody else's.
async fn editable(tx: &mut Tx, editor: &Principal, id: EndpointId) -> Result<EndpointWithOwner> {
    let item = endpoints::find_by_id(tx, id).await?.ok_or_else(unknown)?;
    if visibility::may_edit(&item, Some(editor)) {
        return Ok(item);
    }
    Err(Error::forbidden("Only the owner or an admin may change this endpoint"))
}

/// What the audit log says about an endpoint: who may see and use it.
fn facts(item: &EndpointWithOwner) -> Value {
    let row = &item.endpoint;
    json!({
        "path": item.path(), "type": row.kind.as_str(), "visibility": row.visibility.as_str(),
        "archived": row.archived, "is_active": row.is_active, "admin_disabled": row.admin_disabled,
        "stars_count": row.stars_count,
        "contributors": row.contributors.iter().map(|id| id.0).collect::<Vec<_>>(),
    })
}

impl Endpoints {
    /// Writes a change of an endpoint down.
    async fn record(
        &self,
        tx: &mut Tx,
        editor: &Principal,
        action: &'static str,
        before: Option<&EndpointWithOwner>,
        after: Option<&EndpointWithOwner>,
    ) -> Result<()> {
        let Some(item) = after.or(before) else { return Ok(()) };
        let mut entry = Origin::of(editor).entry(self.clock.now(), action, "endpoint", item.path());
        entry.before = before.map(facts);
        entry.after = after.map(facts);
        Ok(audit::record(tx, &entry).await?)
    }
}

/// The row of a new endpoint.
fn new_endpoint(owner: UserId, create: Create, slug: Slug, contributors: Vec<UserId>) -> NewEndpoint {
    NewEndpoint {
        user_id: owner,
        name: create.name,
        slug,
        description: create.description,
        kind: create.kind,
        visibility: create.visibility,
        archived: create.archived,
        version: create.version,
        readme: create.readme,
        tags: tags(create.tags),
        contributors,
        policies: Value::Array(create.policies),
        connect: Value::Array(create.connect),
    }
}

/// Active users among the given ids, in the given order, and the owner.
async fn contributors(tx: &mut Tx, given: &[i64], owner: UserId) -> Result<Vec<UserId>> {
    let given: Vec<UserId> = given.iter().map(|id| UserId(*id)).filter(|id| *id != owner).collect();
    let active: HashSet<UserId> = if given.is_empty() {
        HashSet::new()
    } else {
        users::active_ids(tx, &given).await?.into_iter().collect()
    };
    let mut ids: Vec<UserId> = given.into_iter().filter(|id| active.contains(id)).collect();
    ids.push(owner);
    Ok(ids)
}

/// Tags that were checked when they were read.
fn tags(texts: Vec<String>) -> Vec<Tag> {
    texts.into_iter().map(Tag::from_trusted).collect()
}

fn slug_taken(error: syfthub_store::Error, new: &NewEndpoint) -> Error {
    if endpoints::is_slug_conflict(&error) {
        let text = format!("slug already exists - already taken: you have published '{}' before", new.slug);
        return Error::new(ErrorCode::BadRequest, text);
    }
    error.into()
}

fn unknown() -> Error {
    Error::not_found("Endpoint not found")
}

#[derive(Debug, Clone, Copy)]
enum Change {
    Created,
    Updated,
    Deleted,
}

fn log_change(item: &EndpointWithOwner, editor: &Principal, change: Change) {
    let (user_id, endpoint_id, path) = (editor.user_id.0, item.endpoint.id.0, item.path());
    macro_rules! line {
        ($event:literal) => {
            tracing::info!(target: "syfthub.api.endpoints", user_id, endpoint_id, endpoint = path, $event)
        };
    }
    match change {
        Change::Created => line!("endpoint.created"),
        Change::Updated => line!("endpoint.updated"),
        Change::Deleted => line!("endpoint.deleted"),
    }
}
