//! Shared endpoints: some members of a collective under a path of their own.

use std::collections::HashMap;

use rand::RngExt as _;
use serde_json::json;
use syfthub_auth::Principal;
use syfthub_domain::{CollectiveId, EndpointId, Error, ErrorCode, Result, SharedEndpointId, Slug};
use syfthub_store::Tx;
use syfthub_store::collectives::{
    self, CollectiveRow, NewShared, SharedMember, SharedRow, Sight, UNIQUE_SHARED_SLUG,
};

use super::bodies::{CreateShared, UpdateShared};
use super::wire::SharedEndpoint;
use super::{Collectives, SUFFIXES, TRIES, derived_text, locked, permissions, with_suffix};
use crate::audit::{self, Origin};

/// Most shared endpoints of one collective; a list of them is one answer.
const MAX_SHARED: i64 = 100;

impl Collectives {
    /// What a collective shares, newest first.
    pub(super) async fn shared_list(
        &self,
        collective: &CollectiveRow,
        viewer: Option<&Principal>,
    ) -> Result<Vec<SharedEndpoint>> {
        self.shared_of(&[collective.id], viewer).await
    }

    /// What several collectives share; unknown ones are left out.
    pub(super) async fn shared_of(
        &self,
        ids: &[CollectiveId],
        viewer: Option<&Principal>,
    ) -> Result<Vec<SharedEndpoint>> {
        let rows = collectives::list_shared(&self.db, ids).await?;
        self.filled(rows, permissions::sight(viewer)).await
    }

    /// One shared endpoint.
    pub(super) async fn shared(
        &self,
        collective: &CollectiveRow,
        slug: &str,
        viewer: Option<&Principal>,
    ) -> Result<SharedEndpoint> {
        let row = collectives::find_shared(&self.db, collective.id, &slug.to_lowercase()).await?;
        let row = row.ok_or_else(unknown)?;
        let members = collectives::shared_members(&self.db, &[row.id], permissions::sight(viewer)).await?;
        Ok(SharedEndpoint::new(row, members))
    }

    /// Shares members of a collective under a new path.
    pub(super) async fn share(
        &self,
        caller: &Principal,
        id: CollectiveId,
        create: CreateShared,
        origin: &Origin,
    ) -> Result<SharedEndpoint> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let collective = locked(&mut tx, id).await?;
        permissions::may_decide(&collective, caller)?;
        all_approved(&mut tx, id, &create.endpoints).await?;
        if collectives::count_shared(&mut tx, id).await? >= MAX_SHARED {
            let text = format!("A collective has at most {MAX_SHARED} shared endpoints; remove one first");
            return Err(Error::new(ErrorCode::BadRequest, text));
        }
        let slug = match create.slug {
            Some(slug) => slug,
            None => free_slug(&mut tx, id, &create.name).await?,
        };
        let new = NewShared { collective_id: id, name: create.name, slug, description: create.description };
        let made =
            collectives::insert_shared(&mut tx, &new, now).await.map_err(|error| taken(error, &new))?;
        collectives::set_shared_members(&mut tx, made, &create.endpoints).await?;
        let target = format!("{}/{}", collective.slug, new.slug);
        let mut entry = origin.entry(now, "collective.shared.created", "collective_shared_endpoint", target);
        entry.after = Some(json!({"name": new.name, "endpoint_ids": create.endpoints}));
        audit::record(&mut tx, &entry).await?;
        let shown = read(&mut tx, id, new.slug.as_str(), permissions::sight(Some(caller))).await?;
        tx.commit().await?;
        log(made, caller, "created");
        Ok(shown)
    }

    /// Changes name, description or content of a shared endpoint.
    pub(super) async fn update_shared(
        &self,
        caller: &Principal,
        id: CollectiveId,
        slug: &str,
        update: UpdateShared,
        origin: &Origin,
    ) -> Result<SharedEndpoint> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let (collective, mut row) = decidable(&mut tx, caller, id, slug).await?;
        let target = format!("{}/{}", collective.slug, row.slug);
        let mut entry = origin.entry(now, "collective.shared.updated", "collective_shared_endpoint", target);
        entry.before = Some(json!({"name": row.name}));
        row.name = update.name.unwrap_or(row.name);
        row.description = update.description.unwrap_or(row.description);
        if let Some(endpoints) = &update.endpoints {
            all_approved(&mut tx, id, endpoints).await?;
            collectives::set_shared_members(&mut tx, row.id, endpoints).await?;
        }
        collectives::save_shared(&mut tx, &row, now).await?;
        entry.after = Some(json!({"name": row.name, "endpoint_ids": update.endpoints}));
        audit::record(&mut tx, &entry).await?;
        let shown = read(&mut tx, id, row.slug.as_str(), permissions::sight(Some(caller))).await?;
        tx.commit().await?;
        log(row.id, caller, "updated");
        Ok(shown)
    }

    /// Removes a shared endpoint; what it held stays in the collective.
    pub(super) async fn unshare(
        &self,
        caller: &Principal,
        id: CollectiveId,
        slug: &str,
        origin: &Origin,
    ) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let (collective, row) = decidable(&mut tx, caller, id, slug).await?;
        collectives::delete_shared(&mut tx, row.id).await?;
        let target = format!("{}/{}", collective.slug, row.slug);
        let at = self.clock.now();
        let mut entry = origin.entry(at, "collective.shared.deleted", "collective_shared_endpoint", target);
        entry.before = Some(json!({"name": row.name}));
        audit::record(&mut tx, &entry).await?;
        tx.commit().await?;
        log(row.id, caller, "deleted");
        Ok(())
    }

    /// Rows with what they hold, in one more statement for all of them.
    async fn filled(&self, rows: Vec<SharedRow>, sight: Sight) -> Result<Vec<SharedEndpoint>> {
        let ids: Vec<SharedEndpointId> = rows.iter().map(|row| row.id).collect();
        let mut members: HashMap<SharedEndpointId, Vec<SharedMember>> = HashMap::new();
        for member in collectives::shared_members(&self.db, &ids, sight).await? {
            members.entry(member.shared_endpoint_id).or_default().push(member);
        }
        let fill = |row: SharedRow| {
            let held = members.remove(&row.id).unwrap_or_default();
            SharedEndpoint::new(row, held)
        };
        Ok(rows.into_iter().map(fill).collect())
    }
}

async fn read(tx: &mut Tx, id: CollectiveId, slug: &str, sight: Sight) -> Result<SharedEndpoint> {
    let row = collectives::find_shared(&mut *tx, id, slug).await?.ok_or_else(unknown)?;
    let members = collectives::shared_members(tx, &[row.id], sight).await?;
    Ok(SharedEndpoint::new(row, members))
}

/// The shared endpoint, under the collective's lock, if the caller decides about it.
async fn decidable(
    tx: &mut Tx,
    caller: &Principal,
    id: CollectiveId,
    slug: &str,
) -> Result<(CollectiveRow, SharedRow)> {
    let collective = locked(tx, id).await?;
    permissions::may_decide(&collective, caller)?;
    let row = collectives::find_shared(tx, id, &slug.to_lowercase()).await?.ok_or_else(unknown)?;
    Ok((collective, row))
}

/// Refuses endpoints that are not approved members, naming them.
async fn all_approved(tx: &mut Tx, id: CollectiveId, endpoints: &[EndpointId]) -> Result<()> {
    let approved = collectives::approved_among(tx, id, endpoints).await?;
    let others: Vec<String> = endpoints
        .iter()
        .filter(|endpoint| approved.binary_search(endpoint).is_err())
        .take(20)
        .map(ToString::to_string)
        .collect();
    if others.is_empty() {
        return Ok(());
    }
    let text = format!("Not approved members of the collective: {}", others.join(", "));
    Err(Error::new(ErrorCode::BadRequest, text))
}

/// A slug made from the name that the collective does not use yet.
async fn free_slug(tx: &mut Tx, id: CollectiveId, name: &str) -> Result<Slug> {
    let base = derived_text(name);
    for attempt in 0..TRIES {
        let text = if attempt == 0 {
            base.clone()
        } else {
            with_suffix(&base, rand::rng().random_range(0..SUFFIXES))
        };
        if let Ok(slug) = Slug::parse_shared(&text)
            && collectives::find_shared(&mut *tx, id, slug.as_str()).await?.is_none()
        {
            return Ok(slug);
        }
    }
    Err(Error::new(ErrorCode::Conflict, "No free slug could be derived from the name; choose one yourself"))
}

fn taken(error: syfthub_store::Error, new: &NewShared) -> Error {
    if error.is_unique(UNIQUE_SHARED_SLUG) {
        let text = format!("The collective has a shared endpoint with the slug '{}' already", new.slug);
        return Error::new(ErrorCode::Conflict, text);
    }
    error.into()
}

fn unknown() -> Error {
    Error::not_found("Shared endpoint not found")
}

fn log(id: SharedEndpointId, caller: &Principal, change: &'static str) {
    tracing::info!(target: "syfthub.api.collectives", shared_endpoint_id = id.0, user_id = caller.user_id.0, change,
        "collective.shared.changed");
}
