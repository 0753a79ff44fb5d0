//! Publishing, changing and removing endpoints.

use std::time::Duration;

use serde_json::Value;
use syfthub_domain::{EndpointId, EndpointType, Slug, Tag, Timestamp, UserId, Version, Visibility};

use super::{EndpointWithOwner, checks, find_by_id};
use crate::column::SqlTime;
use crate::db::{Sql, affected, on};
use crate::{Result, Tx, search};

/// Time that the service behind a new endpoint has to come up before the hub first looks at it.
const FIRST_CHECK_AFTER: Duration = Duration::from_secs(30);

/// An endpoint to be published.
#[derive(Debug, Clone)]
pub struct NewEndpoint {
    /// The owner.
    pub user_id: UserId,
    /// Name for people.
    pub name: String,
    /// Second half of `owner/slug`.
    pub slug: Slug,
    /// A few words.
    pub description: String,
    /// What it is.
    pub kind: EndpointType,
    /// Who may see it.
    pub visibility: Visibility,
    /// Put away from the start.
    pub archived: bool,
    /// Version as its owner counts.
    pub version: Version,
    /// Long text, Markdown.
    pub readme: String,
    /// Tags, without duplicates.
    pub tags: Vec<Tag>,
    /// Existing accounts, without duplicates.
    pub contributors: Vec<UserId>,
    /// List of policies.
    pub policies: Value,
    /// List of connections.
    pub connect: Value,
}

/// What changes in an endpoint; `None` keeps the old value. Type and slug never change.
#[derive(Debug, Clone, Default)]
pub struct EndpointChange {
    /// New name for people.
    pub name: Option<String>,
    /// New few words.
    pub description: Option<String>,
    /// New audience.
    pub visibility: Option<Visibility>,
    /// Put away, or taken out again.
    pub archived: Option<bool>,
    /// New version.
    pub version: Option<Version>,
    /// New long text.
    pub readme: Option<String>,
    /// New tags, all of them.
    pub tags: Option<Vec<Tag>>,
    /// New contributors, all of them.
    pub contributors: Option<Vec<UserId>>,
    /// New policies, all of them.
    pub policies: Option<Value>,
    /// New connections, all of them.
    pub connect: Option<Value>,
}

/// Lets no other change to endpoints happen until this one ends. For a rule that reads before it decides: on
/// PostgreSQL what it read may otherwise be old when it writes. To be called before anything is read or written.
pub async fn lock(tx: &mut Tx) -> Result<()> {
    search::lock(tx).await
}

/// Publishes an endpoint. Fails with a slug conflict ([`super::is_slug_conflict`]) when the owner has
/// something under that name.
pub async fn insert(tx: &mut Tx, new: &NewEndpoint, now: Timestamp) -> Result<EndpointWithOwner> {
    const NAME: &str = "INSERT INTO published_names (owner_id, name, kind) VALUES ($1, $2, 'endpoint')";
    const SQL: &str = "INSERT INTO endpoints (user_id, name, slug, description, type, visibility, archived, version, \
        readme, policies, connect, created_at, updated_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12) RETURNING id";
    search::lock(tx).await?;
    affected!(tx.held(), sqlx::query(NAME).bind(new.user_id.0).bind(new.slug.as_str()))?;
    let id = on!(tx.held(), c => sqlx::query_scalar::<_, i64>(SQL)
        .bind(new.user_id.0)
        .bind(&new.name)
        .bind(new.slug.as_str())
        .bind(&new.description)
        .bind(new.kind.as_str())
        .bind(new.visibility.as_str())
        .bind(new.archived)
        .bind(new.version.as_str())
        .bind(&new.readme)
        .bind(new.policies.to_string())
        .bind(new.connect.to_string())
        .bind(SqlTime(now))
        .fetch_one(c))?;
    let id = EndpointId(id);
    checks::schedule_new(tx, id, now.plus(FIRST_CHECK_AFTER)).await?;
    set_tags(tx, id, &new.tags).await?;
    set_contributors(tx, id, &new.contributors).await?;
    search::reindex(tx, id).await?;
    find_by_id(tx, id).await?.ok_or_else(|| sqlx::Error::RowNotFound.into())
}

/// Changes an endpoint and stamps `updated_at`; `None` when there is none with this id.
pub async fn update(
    tx: &mut Tx,
    id: EndpointId,
    change: &EndpointChange,
    now: Timestamp,
) -> Result<Option<EndpointWithOwner>> {
    const SQL: &str = "UPDATE endpoints SET name = COALESCE($2, name), description = COALESCE($3, description), \
        visibility = COALESCE($4, visibility), archived = COALESCE($5, archived), version = COALESCE($6, version), \
        readme = COALESCE($7, readme), policies = COALESCE($8, policies), connect = COALESCE($9, connect), \
        updated_at = $10 WHERE id = $1";
    search::lock(tx).await?;
    let rows = affected!(
        tx.held(),
        sqlx::query(SQL)
            .bind(id.0)
            .bind(change.name.as_deref())
            .bind(change.description.as_deref())
            .bind(change.visibility.map(Visibility::as_str))
            .bind(change.archived)
            .bind(change.version.as_ref().map(Version::as_str))
            .bind(change.readme.as_deref())
            .bind(change.policies.as_ref().map(Value::to_string))
            .bind(change.connect.as_ref().map(Value::to_string))
            .bind(SqlTime(now))
    )?;
    if rows == 0 {
        return Ok(None);
    }
    if let Some(tags) = &change.tags {
        set_tags(tx, id, tags).await?;
    }
    if let Some(contributors) = &change.contributors {
        set_contributors(tx, id, contributors).await?;
    }
    search::reindex(tx, id).await?;
    find_by_id(tx, id).await
}

/// What an admin may set; does not stamp `updated_at`. `enabled = Some(true)` also ends an inactivity that
/// failed checks caused.
pub async fn set_admin_flags(
    tx: &mut Tx,
    id: EndpointId,
    enabled: Option<bool>,
    stars_count: Option<i64>,
) -> Result<Option<EndpointWithOwner>> {
    const SQL: &str = "UPDATE endpoints SET \
        admin_disabled = CASE WHEN $2 IS NULL THEN admin_disabled ELSE NOT $2 END, \
        is_active = CASE WHEN $2 THEN TRUE ELSE is_active END, \
        consecutive_failure_count = CASE WHEN $2 THEN 0 ELSE consecutive_failure_count END, \
        stars_count = COALESCE($3, stars_count) WHERE id = $1";
    affected!(tx.held(), sqlx::query(SQL).bind(id.0).bind(enabled).bind(stars_count))?;
    find_by_id(tx, id).await
}

/// Removes an endpoint and frees its name. Gives whether there was one.
pub async fn delete(tx: &mut Tx, id: EndpointId) -> Result<bool> {
    const NAME: &str = "DELETE FROM published_names WHERE kind = 'endpoint' AND (owner_id, name) IN \
        (SELECT user_id, slug FROM endpoints WHERE id = $1)";
    const SQL: &str = "DELETE FROM endpoints WHERE id = $1";
    search::lock(tx).await?;
    search::remove(tx, id).await?;
    affected!(tx.held(), sqlx::query(NAME).bind(id.0))?;
    affected!(tx.held(), sqlx::query(SQL).bind(id.0)).map(|rows| rows > 0)
}

/// Removes everything that an owner has published as endpoint. Gives how many there were.
pub async fn delete_by_owner(tx: &mut Tx, owner: UserId) -> Result<u64> {
    const IDS: &str = "SELECT id FROM endpoints WHERE user_id = $1 ORDER BY id";
    const NAMES: &str = "DELETE FROM published_names WHERE kind = 'endpoint' AND owner_id = $1";
    const SQL: &str = "DELETE FROM endpoints WHERE user_id = $1";
    search::lock(tx).await?;
    let ids = on!(tx.held(), c => sqlx::query_scalar::<_, i64>(IDS).bind(owner.0).fetch_all(c))?;
    for id in ids {
        search::remove(tx, EndpointId(id)).await?;
    }
    affected!(tx.held(), sqlx::query(NAMES).bind(owner.0))?;
    affected!(tx.held(), sqlx::query(SQL).bind(owner.0))
}

async fn set_tags(tx: &mut Tx, id: EndpointId, tags: &[Tag]) -> Result<()> {
    const CLEAR: &str = "DELETE FROM endpoint_tags WHERE endpoint_id = $1";
    const FILL: Sql = Sql {
        postgres: "INSERT INTO endpoint_tags (endpoint_id, position, tag) SELECT $1, position, value \
             FROM jsonb_array_elements_text(CAST($2 AS jsonb)) WITH ORDINALITY AS given (value, position)",
        sqlite: "INSERT INTO endpoint_tags (endpoint_id, position, tag) SELECT $1, key + 1, value FROM json_each($2)",
    };
    affected!(tx.held(), sqlx::query(CLEAR).bind(id.0))?;
    let conn = tx.held();
    let sql = FILL.pick(&conn);
    affected!(conn, sqlx::query(sql).bind(id.0).bind(crate::json(tags)))?;
    Ok(())
}

async fn set_contributors(tx: &mut Tx, id: EndpointId, contributors: &[UserId]) -> Result<()> {
    const CLEAR: &str = "DELETE FROM endpoint_contributors WHERE endpoint_id = $1";
    const FILL: Sql = Sql {
        postgres: "INSERT INTO endpoint_contributors (endpoint_id, position, user_id) \
             SELECT $1, position, CAST(value AS BIGINT) \
             FROM jsonb_array_elements_text(CAST($2 AS jsonb)) WITH ORDINALITY AS given (value, position)",
        sqlite: "INSERT INTO endpoint_contributors (endpoint_id, position, user_id) \
             SELECT $1, key + 1, value FROM json_each($2)",
    };
    affected!(tx.held(), sqlx::query(CLEAR).bind(id.0))?;
    let conn = tx.held();
    let sql = FILL.pick(&conn);
    affected!(conn, sqlx::query(sql).bind(id.0).bind(crate::json(contributors)))?;
    Ok(())
}
