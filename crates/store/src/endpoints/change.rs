//! Publishing, changing and removing endpoints.

use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use syfthub_domain::{EndpointId, EndpointType, Slug, Tag, Timestamp, UserId, Version, Visibility};

use super::{EndpointWithOwner, checks, find_by_id, find_by_ids};
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
    let made = insert_many(tx, std::slice::from_ref(new), now).await?;
    made.into_iter().next().ok_or_else(|| sqlx::Error::RowNotFound.into())
}

/// Publishes several endpoints with a handful of statements, however many there are; gives them in the order of
/// their ids, which is the given order. Fails like [`insert`], and then nothing of it is kept.
pub async fn insert_many(tx: &mut Tx, new: &[NewEndpoint], now: Timestamp) -> Result<Vec<EndpointWithOwner>> {
    search::lock(tx).await?;
    let rows = insert_rows(tx, new, now).await?;
    let by_name: HashMap<(i64, &str), EndpointId> =
        rows.iter().map(|(id, owner, slug)| ((*owner, slug.as_str()), EndpointId(*id))).collect();
    let of = |new: &NewEndpoint| by_name.get(&(new.user_id.0, new.slug.as_str())).copied();
    let tags: Vec<_> = new.iter().filter_map(|new| Some((of(new)?, new.tags.as_slice()))).collect();
    let contributors: Vec<_> =
        new.iter().filter_map(|new| Some((of(new)?, new.contributors.as_slice()))).collect();
    fill_tags(tx, &tags).await?;
    fill_contributors(tx, &contributors).await?;
    let ids: Vec<EndpointId> = rows.iter().map(|(id, ..)| EndpointId(*id)).collect();
    checks::schedule_new(tx, &ids, now.plus(FIRST_CHECK_AFTER)).await?;
    search::reindex(tx, &ids).await?;
    find_by_ids(tx, &ids).await
}

/// The rows alone; gives id, owner and slug of each.
async fn insert_rows(tx: &mut Tx, new: &[NewEndpoint], now: Timestamp) -> Result<Vec<(i64, i64, String)>> {
    const NAMES: Sql = Sql {
        postgres: "INSERT INTO published_names (owner_id, name, kind) SELECT user_id, slug, 'endpoint' \
             FROM jsonb_to_recordset(CAST($1 AS jsonb)) AS given (user_id BIGINT, slug TEXT)",
        sqlite: "INSERT INTO published_names (owner_id, name, kind) \
             SELECT json_extract(value, '$.user_id'), json_extract(value, '$.slug'), 'endpoint' FROM json_each($1)",
    };
    const ROWS: Sql = Sql {
        postgres: "INSERT INTO endpoints (user_id, name, slug, description, type, visibility, archived, version, \
             readme, policies, connect, created_at, updated_at) \
             SELECT user_id, name, slug, description, type, visibility, archived, version, readme, policies, connect, \
             $2, $2 FROM jsonb_to_recordset(CAST($1 AS jsonb)) AS given (place BIGINT, user_id BIGINT, name TEXT, \
             slug TEXT, description TEXT, type TEXT, visibility TEXT, archived BOOLEAN, version TEXT, readme TEXT, \
             policies TEXT, connect TEXT) ORDER BY place RETURNING id, user_id, slug",
        sqlite: "INSERT INTO endpoints (user_id, name, slug, description, type, visibility, archived, version, \
             readme, policies, connect, created_at, updated_at) \
             SELECT json_extract(value, '$.user_id'), json_extract(value, '$.name'), json_extract(value, '$.slug'), \
             json_extract(value, '$.description'), json_extract(value, '$.type'), \
             json_extract(value, '$.visibility'), json_extract(value, '$.archived'), \
             json_extract(value, '$.version'), json_extract(value, '$.readme'), json_extract(value, '$.policies'), \
             json_extract(value, '$.connect'), $2, $2 FROM json_each($1) ORDER BY key RETURNING id, user_id, slug",
    };
    let given: Vec<Value> = new
        .iter()
        .enumerate()
        .map(|(place, new)| {
            json!({
                "place": place, "user_id": new.user_id.0, "name": new.name, "slug": new.slug.as_str(),
                "description": new.description, "type": new.kind.as_str(), "visibility": new.visibility.as_str(),
                "archived": new.archived, "version": new.version.as_str(), "readme": new.readme,
                "policies": new.policies.to_string(), "connect": new.connect.to_string(),
            })
        })
        .collect();
    let given = crate::json(&given);
    let conn = tx.held();
    let sql = NAMES.pick(&conn);
    affected!(conn, sqlx::query(sql).bind(&given))?;
    let conn = tx.held();
    let sql = ROWS.pick(&conn);
    on!(conn, c => sqlx::query_as::<_, (i64, i64, String)>(sql).bind(&given).bind(SqlTime(now)).fetch_all(c))
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
    search::reindex(tx, &[id]).await?;
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
    search::remove(tx, &[id]).await?;
    affected!(tx.held(), sqlx::query(NAME).bind(id.0))?;
    affected!(tx.held(), sqlx::query(SQL).bind(id.0)).map(|rows| rows > 0)
}

/// Removes everything that an owner has published as endpoint. Gives how many there were.
pub async fn delete_by_owner(tx: &mut Tx, owner: UserId) -> Result<u64> {
    const NAMES: &str = "DELETE FROM published_names WHERE kind = 'endpoint' AND owner_id = $1";
    const SQL: &str = "DELETE FROM endpoints WHERE user_id = $1";
    search::lock(tx).await?;
    search::remove_owner(tx, owner).await?;
    affected!(tx.held(), sqlx::query(NAMES).bind(owner.0))?;
    affected!(tx.held(), sqlx::query(SQL).bind(owner.0))
}

async fn set_tags(tx: &mut Tx, id: EndpointId, tags: &[Tag]) -> Result<()> {
    const CLEAR: &str = "DELETE FROM endpoint_tags WHERE endpoint_id = $1";
    affected!(tx.held(), sqlx::query(CLEAR).bind(id.0))?;
    fill_tags(tx, &[(id, tags)]).await
}

async fn fill_tags(tx: &mut Tx, of: &[(EndpointId, &[Tag])]) -> Result<()> {
    const FILL: Sql = Sql {
        postgres: "INSERT INTO endpoint_tags (endpoint_id, position, tag) SELECT e, p, v \
             FROM jsonb_to_recordset(CAST($1 AS jsonb)) AS given (e BIGINT, p BIGINT, v TEXT)",
        sqlite: "INSERT INTO endpoint_tags (endpoint_id, position, tag) SELECT json_extract(value, '$.e'), \
             json_extract(value, '$.p'), json_extract(value, '$.v') FROM json_each($1)",
    };
    fill(tx, FILL, of).await
}

async fn set_contributors(tx: &mut Tx, id: EndpointId, contributors: &[UserId]) -> Result<()> {
    const CLEAR: &str = "DELETE FROM endpoint_contributors WHERE endpoint_id = $1";
    affected!(tx.held(), sqlx::query(CLEAR).bind(id.0))?;
    fill_contributors(tx, &[(id, contributors)]).await
}

async fn fill_contributors(tx: &mut Tx, of: &[(EndpointId, &[UserId])]) -> Result<()> {
    const FILL: Sql = Sql {
        postgres: "INSERT INTO endpoint_contributors (endpoint_id, position, user_id) SELECT e, p, v \
             FROM jsonb_to_recordset(CAST($1 AS jsonb)) AS given (e BIGINT, p BIGINT, v BIGINT)",
        sqlite: "INSERT INTO endpoint_contributors (endpoint_id, position, user_id) SELECT json_extract(value, '$.e'), \
             json_extract(value, '$.p'), json_extract(value, '$.v') FROM json_each($1)",
    };
    fill(tx, FILL, of).await
}

/// Writes the lists that hang on endpoints, each value with its place from 1.
async fn fill<T: Serialize>(tx: &mut Tx, sql: Sql, of: &[(EndpointId, &[T])]) -> Result<()> {
    let rows: Vec<Value> = of
        .iter()
        .flat_map(|(id, values)| {
            values.iter().zip(1..).map(|(value, p)| json!({"e": id.0, "p": p, "v": value}))
        })
        .collect();
    let conn = tx.held();
    let sql = sql.pick(&conn);
    affected!(conn, sqlx::query(sql).bind(crate::json(&rows)))?;
    Ok(())
}
