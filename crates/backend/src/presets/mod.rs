//! Presets: a model, data sources and parameters that a user saved under a name, `owner/slug`. What they name may
//! come and go; whoever uses a preset meets what is there then, with their own rights.

pub(crate) mod input;
pub(crate) mod routes;
pub(crate) mod wire;

use serde_json::{Value, json};
use syfthub_auth::Principal;
use syfthub_domain::{EndpointPath, Error, ErrorCode, Result, SharedClock, Slug};
use syfthub_store::presets::{self, PresetRow};
use syfthub_store::{Db, Page, Tx, endpoints, users};

use crate::audit::{self, Origin};
use crate::endpoints::slugs;
use crate::parts::Parts;

use input::{Change, Create};

/// Most presets of one account.
const MAX_OWNED: i64 = 200;

/// The rules of the feature.
#[derive(Debug)]
pub(crate) struct Presets {
    db: Db,
    clock: SharedClock,
}

impl Presets {
    /// Builds the feature.
    #[expect(clippy::unnecessary_wraps, reason = "every feature is built alike")]
    pub(crate) fn build(parts: &Parts) -> Result<Self> {
        Ok(Self { db: parts.db.clone(), clock: parts.clock.clone() })
    }

    /// A page of the caller's presets, newest first, and how many there are.
    pub(crate) async fn own(&self, owner: &Principal, page: Page) -> Result<(Vec<PresetRow>, i64)> {
        let rows = presets::list_by_owner(&self.db, owner.user_id, page).await?;
        Ok((rows, presets::count_by_owner(&self.db, owner.user_id).await?))
    }

    /// A page of the public presets and, for somebody, of their own ones.
    pub(crate) async fn visible(
        &self,
        viewer: Option<&Principal>,
        page: Page,
    ) -> Result<(Vec<PresetRow>, i64)> {
        let viewer = viewer.map(|viewer| viewer.user_id);
        let rows = presets::list_visible(&self.db, viewer, page).await?;
        Ok((rows, presets::count_visible(&self.db, viewer).await?))
    }

    /// The preset at a path, if the viewer may see it.
    pub(crate) async fn get(&self, viewer: Option<&Principal>, path: &EndpointPath) -> Result<PresetRow> {
        let found = presets::find(&self.db, &path.owner, &path.slug).await?;
        found.filter(|preset| may_see(preset, viewer)).ok_or_else(unknown)
    }

    /// Saves a preset of the caller.
    pub(crate) async fn create(&self, owner: &Principal, create: Create) -> Result<PresetRow> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        if !users::lock(&mut tx, owner.user_id).await? {
            return Err(Error::not_found("User not found"));
        }
        if presets::count_by_owner(&mut tx, owner.user_id).await? >= MAX_OWNED {
            let text = format!("An account has at most {MAX_OWNED} presets; remove one first");
            return Err(Error::new(ErrorCode::BadRequest, text));
        }
        let slug = if let Some(slug) = create.slug {
            slug
        } else {
            let taken = endpoints::taken_slugs(&mut tx, owner.user_id).await?;
            slugs::choose(&create.content.name, &taken, now)?
        };
        let made = presets::insert(&mut tx, owner.user_id, &slug, &create.content, now).await;
        made.map_err(|error| slug_taken(error, &slug))?;
        let row = reload(&mut tx, owner.username.as_str(), &slug).await?;
        self.record(&mut tx, owner, "preset.created", None, Some(&row)).await?;
        tx.commit().await?;
        tracing::info!(target: "syfthub.api.presets", user_id = owner.user_id.0, preset = row.path(), "preset.created");
        Ok(row)
    }

    /// Changes a preset that the caller runs.
    pub(crate) async fn update(
        &self,
        editor: &Principal,
        path: &EndpointPath,
        change: Change,
    ) -> Result<PresetRow> {
        let (mut tx, before) = self.editable(editor, path).await?;
        let content = change.apply(before.content());
        presets::replace(&mut tx, before.user_id, &before.slug, &content, self.clock.now()).await?;
        let after = reload(&mut tx, &path.owner, &before.slug).await?;
        if facts(&before) != facts(&after) {
            self.record(&mut tx, editor, "preset.updated", Some(&before), Some(&after)).await?;
        }
        tx.commit().await?;
        tracing::info!(target: "syfthub.api.presets", user_id = editor.user_id.0, preset = after.path(), "preset.updated");
        Ok(after)
    }

    /// Removes a preset that the caller runs; its name is free again.
    pub(crate) async fn delete(&self, editor: &Principal, path: &EndpointPath) -> Result<()> {
        let (mut tx, gone) = self.editable(editor, path).await?;
        presets::delete(&mut tx, gone.user_id, &gone.slug).await?;
        self.record(&mut tx, editor, "preset.deleted", Some(&gone), None).await?;
        tx.commit().await?;
        tracing::info!(target: "syfthub.api.presets", user_id = editor.user_id.0, preset = gone.path(), "preset.deleted");
        Ok(())
    }

    /// The preset, with no other change to its owner's beside this one: 404 if the caller may not even see it, 403
    /// if it is somebody else's.
    async fn editable(&self, editor: &Principal, path: &EndpointPath) -> Result<(Tx, PresetRow)> {
        let mut tx = self.db.begin().await?;
        let seen = presets::find(&mut tx, &path.owner, &path.slug).await?;
        let owner = seen.filter(|preset| may_see(preset, Some(editor))).ok_or_else(unknown)?.user_id;
        users::lock(&mut tx, owner).await?;
        // What was read before the lock may have changed since.
        let preset = presets::find(&mut tx, &path.owner, &path.slug).await?.ok_or_else(unknown)?;
        if may_edit(&preset, Some(editor)) {
            return Ok((tx, preset));
        }
        Err(Error::forbidden("Only the owner or an admin may change this preset"))
    }

    async fn record(
        &self,
        tx: &mut Tx,
        editor: &Principal,
        action: &'static str,
        before: Option<&PresetRow>,
        after: Option<&PresetRow>,
    ) -> Result<()> {
        let Some(preset) = after.or(before) else { return Ok(()) };
        let mut entry = Origin::of(editor).entry(self.clock.now(), action, "preset", preset.path());
        entry.before = before.map(facts);
        entry.after = after.map(facts);
        Ok(audit::record(tx, &entry).await?)
    }
}

/// Whether the viewer runs this preset: its owner, or an admin.
fn may_edit(preset: &PresetRow, viewer: Option<&Principal>) -> bool {
    viewer.is_some_and(|viewer| viewer.user_id == preset.user_id || viewer.is_admin())
}

/// Whether the viewer may know of it.
fn may_see(preset: &PresetRow, viewer: Option<&Principal>) -> bool {
    preset.is_listed() || may_edit(preset, viewer)
}

/// What the audit log says about a preset. What the model is told is its owner's own.
fn facts(preset: &PresetRow) -> Value {
    json!({
        "path": preset.path(), "visibility": preset.visibility.as_str(), "model": preset.model,
        "sources": preset.sources,
    })
}

async fn reload(tx: &mut Tx, owner: &str, slug: &Slug) -> Result<PresetRow> {
    presets::find(tx, owner, slug.as_str()).await?.ok_or_else(unknown)
}

fn slug_taken(error: syfthub_store::Error, slug: &Slug) -> Error {
    if presets::is_slug_conflict(&error) {
        let text = format!("You have an endpoint or a preset named '{slug}' already; choose another slug");
        return Error::new(ErrorCode::Conflict, text);
    }
    error.into()
}

fn unknown() -> Error {
    Error::not_found("Preset not found")
}
