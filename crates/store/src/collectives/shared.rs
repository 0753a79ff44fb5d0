//! Shared endpoints: some members of a collective under one path of their own.

use syfthub_domain::{CollectiveId, EndpointId, EndpointType, SharedEndpointId, Slug, Timestamp, Username};

use super::{Sight, visible};
use crate::column::{SqlTime, row};
use crate::db::{Sql, affected, on};
use crate::{Reads, Result, Tx};

/// A collective does not share twice under one slug.
pub const UNIQUE_SHARED_SLUG: &str = "collective_shared_endpoints_collective_id_slug_key";

row! {
    /// A row of `collective_shared_endpoints`.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct SharedRow {
        /// Row id, never reused.
        pub id: SharedEndpointId,
        /// The collective.
        pub collective_id: CollectiveId,
        /// The collective's slug.
        pub collective_slug: Slug,
        /// Name for people.
        pub name: String,
        /// Last part of `collective/c/slug`; never changes.
        pub slug: Slug,
        /// A few words.
        pub description: String,
        /// Time of creation.
        pub created_at: Timestamp,
        /// Time of the last change.
        pub updated_at: Timestamp,
    }
}

row! {
    /// An endpoint that is shared. What is not visible is for the caller to leave out.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct SharedMember {
        /// The shared endpoint.
        pub shared_endpoint_id: SharedEndpointId,
        /// The endpoint.
        pub endpoint_id: EndpointId,
        /// Its name.
        pub endpoint_name: String,
        /// Second half of its path.
        pub endpoint_slug: Slug,
        /// First half of its path.
        pub endpoint_owner_username: Username,
        /// Its type.
        pub endpoint_type: EndpointType,
        /// Whether it still is an approved member.
        pub is_active: bool,
        /// Whether the viewer may know more than that it is there.
        pub is_visible: bool,
    }
}

/// A shared endpoint to be made.
#[derive(Debug, Clone)]
pub struct NewShared {
    /// The collective.
    pub collective_id: CollectiveId,
    /// Name for people.
    pub name: String,
    /// Last part of the path.
    pub slug: Slug,
    /// A few words.
    pub description: String,
}

macro_rules! shared {
    () => {
        "SELECT s.id, s.collective_id, c.slug AS collective_slug, s.name, s.slug, s.description, s.created_at, \
         s.updated_at FROM collective_shared_endpoints s JOIN collectives c ON c.id = s.collective_id "
    };
}

/// Makes a shared endpoint without members. Fails with [`UNIQUE_SHARED_SLUG`].
pub async fn insert_shared(tx: &mut Tx, new: &NewShared, now: Timestamp) -> Result<SharedEndpointId> {
    const SQL: &str = "INSERT INTO collective_shared_endpoints (collective_id, name, slug, description, created_at, \
        updated_at) VALUES ($1, $2, $3, $4, $5, $5) RETURNING id";
    on!(tx.held(), c => sqlx::query_scalar::<_, i64>(SQL)
        .bind(new.collective_id.0)
        .bind(&new.name)
        .bind(new.slug.as_str())
        .bind(&new.description)
        .bind(SqlTime(now))
        .fetch_one(c))
    .map(SharedEndpointId)
}

/// Writes name and description of a shared endpoint that was read under [`super::lock`].
pub async fn save_shared(tx: &mut Tx, row: &SharedRow, now: Timestamp) -> Result<()> {
    const SQL: &str =
        "UPDATE collective_shared_endpoints SET name = $2, description = $3, updated_at = $4 WHERE id = $1";
    affected!(
        tx.held(),
        sqlx::query(SQL).bind(row.id.0).bind(&row.name).bind(&row.description).bind(SqlTime(now))
    )?;
    Ok(())
}

/// Replaces what is shared; the order is kept.
pub async fn set_shared_members(tx: &mut Tx, id: SharedEndpointId, endpoints: &[EndpointId]) -> Result<()> {
    const CLEAR: &str = "DELETE FROM collective_shared_endpoint_members WHERE shared_endpoint_id = $1";
    const FILL: Sql = Sql {
        postgres: "INSERT INTO collective_shared_endpoint_members (shared_endpoint_id, position, endpoint_id) \
             SELECT $1, position, CAST(value AS BIGINT) \
             FROM jsonb_array_elements_text(CAST($2 AS jsonb)) WITH ORDINALITY AS given (value, position)",
        sqlite: "INSERT INTO collective_shared_endpoint_members (shared_endpoint_id, position, endpoint_id) \
             SELECT $1, key + 1, value FROM json_each($2)",
    };
    affected!(tx.held(), sqlx::query(CLEAR).bind(id.0))?;
    let conn = tx.held();
    let sql = FILL.pick(&conn);
    affected!(conn, sqlx::query(sql).bind(id.0).bind(crate::json(endpoints)))?;
    Ok(())
}

/// Removes a shared endpoint; its members stay members of the collective. `false` when there was none.
pub async fn delete_shared(tx: &mut Tx, id: SharedEndpointId) -> Result<bool> {
    const SQL: &str = "DELETE FROM collective_shared_endpoints WHERE id = $1";
    Ok(affected!(tx.held(), sqlx::query(SQL).bind(id.0))? == 1)
}

/// The shared endpoint of a collective with this slug.
pub async fn find_shared(
    from: impl Reads,
    collective: CollectiveId,
    slug: &str,
) -> Result<Option<SharedRow>> {
    const SQL: &str = concat!(shared!(), "WHERE s.collective_id = $1 AND s.slug = $2");
    on!(from.source().conn().await?, c => sqlx::query_as::<_, SharedRow>(SQL)
        .bind(collective.0).bind(slug).fetch_optional(c))
}

/// How many shared endpoints a collective has.
pub async fn count_shared(from: impl Reads, collective: CollectiveId) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) FROM collective_shared_endpoints WHERE collective_id = $1";
    on!(from.source().conn().await?, c => sqlx::query_scalar::<_, i64>(SQL).bind(collective.0).fetch_one(c))
}

/// The shared endpoints of these collectives, by collective and newest first; unknown ids are left out.
pub async fn list_shared(from: impl Reads, collectives: &[CollectiveId]) -> Result<Vec<SharedRow>> {
    const SQL: Sql = Sql {
        postgres: concat!(
            shared!(),
            "WHERE s.collective_id IN (SELECT CAST(jsonb_array_elements_text(CAST($1 AS jsonb)) AS BIGINT)) \
             ORDER BY s.collective_id, s.created_at DESC, s.id DESC"
        ),
        sqlite: concat!(
            shared!(),
            "WHERE s.collective_id IN (SELECT value FROM json_each($1)) \
             ORDER BY s.collective_id, s.created_at DESC, s.id DESC"
        ),
    };
    let conn = from.source().conn().await?;
    let sql = SQL.pick(&conn);
    on!(conn, c => sqlx::query_as::<_, SharedRow>(sql).bind(crate::json(collectives)).fetch_all(c))
}

macro_rules! shared_member {
    () => {
        concat!(
            "SELECT s.shared_endpoint_id, s.endpoint_id, e.name AS endpoint_name, e.slug AS endpoint_slug, \
             u.username AS endpoint_owner_username, e.type AS endpoint_type, \
             EXISTS (SELECT 1 FROM collective_members m WHERE m.collective_id = c.id \
                     AND m.endpoint_id = s.endpoint_id AND m.status = 'approved') AS is_active, ",
            visible!("$2", "$3"),
            "AS is_visible FROM collective_shared_endpoint_members s \
             JOIN collective_shared_endpoints x ON x.id = s.shared_endpoint_id \
             JOIN collectives c ON c.id = x.collective_id \
             JOIN endpoints e ON e.id = s.endpoint_id JOIN users u ON u.id = e.user_id "
        )
    };
}

/// What these shared endpoints hold, in their owners' order.
pub async fn shared_members(
    from: impl Reads,
    ids: &[SharedEndpointId],
    sight: Sight,
) -> Result<Vec<SharedMember>> {
    const SQL: Sql = Sql {
        postgres: concat!(
            shared_member!(),
            "WHERE s.shared_endpoint_id IN (SELECT CAST(jsonb_array_elements_text(CAST($1 AS jsonb)) AS BIGINT)) \
             ORDER BY s.shared_endpoint_id, s.position, s.endpoint_id"
        ),
        sqlite: concat!(
            shared_member!(),
            "WHERE s.shared_endpoint_id IN (SELECT value FROM json_each($1)) \
             ORDER BY s.shared_endpoint_id, s.position, s.endpoint_id"
        ),
    };
    let conn = from.source().conn().await?;
    let sql = SQL.pick(&conn);
    on!(conn, c => sqlx::query_as::<_, SharedMember>(sql)
        .bind(crate::json(ids))
        .bind(sight.is_admin)
        .bind(sight.viewer.map(|id| id.0))
        .fetch_all(c))
}
