//! Finding endpoints by id, by path and by words.

use syfthub_domain::{EndpointId, EndpointPath, UserId};

use super::{EndpointWithOwner, columns, tables};
use crate::db::{Sql, on};
use crate::{Reads, Result};

/// The endpoint with this id, whatever its state: who may see it is the caller's rule.
pub async fn find_by_id(from: impl Reads, id: EndpointId) -> Result<Option<EndpointWithOwner>> {
    const SQL: &str = concat!("SELECT ", columns!(), tables!(), "WHERE e.id = $1");
    on!(from.source().conn().await?, c => sqlx::query_as::<_, EndpointWithOwner>(SQL).bind(id.0).fetch_optional(c))
}

/// The endpoints with these ids, in ascending order of ids; unknown ones are left out.
pub async fn find_by_ids(from: impl Reads, ids: &[EndpointId]) -> Result<Vec<EndpointWithOwner>> {
    const SQL: Sql = Sql {
        postgres: concat!(
            "SELECT ",
            columns!(),
            tables!(),
            "WHERE e.id IN (SELECT CAST(jsonb_array_elements_text(CAST($1 AS jsonb)) AS BIGINT)) ORDER BY e.id"
        ),
        sqlite: concat!(
            "SELECT ",
            columns!(),
            tables!(),
            "WHERE e.id IN (SELECT value FROM json_each($1)) ORDER BY e.id"
        ),
    };
    let conn = from.source().conn().await?;
    let sql = SQL.pick(&conn);
    on!(conn, c => sqlx::query_as::<_, EndpointWithOwner>(sql).bind(crate::json(ids)).fetch_all(c))
}

/// The endpoint at `owner/slug`, whatever its state. Both are compared as they are kept, in lower case.
pub async fn find_by_owner_and_slug(
    from: impl Reads,
    owner: &str,
    slug: &str,
) -> Result<Option<EndpointWithOwner>> {
    const SQL: &str = concat!("SELECT ", columns!(), tables!(), "WHERE u.username = $1 AND e.slug = $2");
    on!(from.source().conn().await?, c => sqlx::query_as::<_, EndpointWithOwner>(SQL)
        .bind(owner).bind(slug).fetch_optional(c))
}

/// The endpoints at these paths in one statement, whatever their state; unknown paths are left out.
pub async fn resolve_many(from: impl Reads, paths: &[EndpointPath]) -> Result<Vec<EndpointWithOwner>> {
    const SQL: Sql = Sql {
        postgres: concat!(
            "SELECT ",
            columns!(),
            tables!(),
            "WHERE (u.username, e.slug) IN (SELECT path.owner, path.slug \
             FROM jsonb_to_recordset(CAST($1 AS jsonb)) AS path (owner TEXT, slug TEXT)) ORDER BY e.id"
        ),
        sqlite: concat!(
            "SELECT ",
            columns!(),
            tables!(),
            "WHERE (u.username, e.slug) IN (SELECT json_extract(value, '$.owner'), json_extract(value, '$.slug') \
             FROM json_each($1)) ORDER BY e.id"
        ),
    };
    let wanted: Vec<serde_json::Value> =
        paths.iter().map(|path| serde_json::json!({"owner": path.owner, "slug": path.slug})).collect();
    let conn = from.source().conn().await?;
    let sql = SQL.pick(&conn);
    on!(conn, c => sqlx::query_as::<_, EndpointWithOwner>(sql).bind(crate::json(&wanted)).fetch_all(c))
}

/// Whether the owner has published anything under this name.
pub async fn slug_taken(from: impl Reads, owner: UserId, slug: &str) -> Result<bool> {
    const SQL: &str = "SELECT COUNT(*) FROM published_names WHERE owner_id = $1 AND name = $2";
    let count = on!(from.source().conn().await?, c => sqlx::query_scalar::<_, i64>(SQL)
        .bind(owner.0).bind(slug).fetch_one(c))?;
    Ok(count > 0)
}

/// Every name the owner has published, for choosing a free one without asking for each.
pub async fn taken_slugs(from: impl Reads, owner: UserId) -> Result<Vec<String>> {
    const SQL: &str = "SELECT name FROM published_names WHERE owner_id = $1 ORDER BY name";
    on!(from.source().conn().await?, c => sqlx::query_scalar::<_, String>(SQL).bind(owner.0).fetch_all(c))
}

/// How many endpoints the owner has published.
pub async fn count_by_owner(from: impl Reads, owner: UserId) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) FROM published_names WHERE owner_id = $1 AND kind = 'endpoint'";
    on!(from.source().conn().await?, c => sqlx::query_scalar::<_, i64>(SQL).bind(owner.0).fetch_one(c))
}
