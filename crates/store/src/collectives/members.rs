//! Which endpoints belong to a collective, or are about to.

use serde_json::Value;
use syfthub_domain::{
    CollectiveId, EndpointId, EndpointPath, EndpointType, MembershipStatus, SharedEndpointId, Slug,
    Timestamp, UserId, Username,
};

use super::{Sight, visible};
use crate::column::{SqlTime, row};
use crate::db::{Sql, affected, on};
use crate::{Reads, Result, Tx};

row! {
    /// A row of `collective_members` with what is shown of its endpoint.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Member {
        /// Row id.
        pub id: i64,
        /// The collective.
        pub collective_id: CollectiveId,
        /// The endpoint.
        pub endpoint_id: EndpointId,
        /// How it stands.
        pub status: MembershipStatus,
        /// When one side asked.
        pub requested_at: Timestamp,
        /// When the other side answered.
        pub responded_at: Option<Timestamp>,
        /// Who decided for the collective.
        pub reviewed_by_user_id: Option<UserId>,
        /// The endpoint's name.
        pub endpoint_name: String,
        /// The endpoint's few words.
        pub endpoint_description: String,
        /// Second half of the endpoint's path.
        pub endpoint_slug: Slug,
        /// The endpoint's type.
        pub endpoint_type: EndpointType,
        /// Its owner.
        pub endpoint_owner_id: UserId,
        /// First half of the endpoint's path.
        pub endpoint_owner_username: Username,
        /// The owner's name for people.
        pub endpoint_owner_full_name: String,
    }
}

/// What is written about a membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// The collective.
    pub collective_id: CollectiveId,
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// How it stands.
    pub status: MembershipStatus,
    /// When one side asked.
    pub requested_at: Timestamp,
    /// When the other side answered.
    pub responded_at: Option<Timestamp>,
    /// Who decided for the collective.
    pub reviewed_by_user_id: Option<UserId>,
}

macro_rules! member {
    () => {
        "SELECT m.id, m.collective_id, m.endpoint_id, m.status, m.requested_at, m.responded_at, \
         m.reviewed_by_user_id, e.name AS endpoint_name, e.description AS endpoint_description, \
         e.slug AS endpoint_slug, e.type AS endpoint_type, e.user_id AS endpoint_owner_id, \
         u.username AS endpoint_owner_username, u.full_name AS endpoint_owner_full_name"
    };
}

macro_rules! tables {
    () => {
        " FROM collective_members m JOIN collectives c ON c.id = m.collective_id \
         JOIN endpoints e ON e.id = m.endpoint_id JOIN users u ON u.id = e.user_id "
    };
}

/// The approved members (`$1` the collective, `$2` a shared endpoint that narrows them) that a viewer sees.
macro_rules! approved {
    () => {
        concat!(
            tables!(),
            "WHERE m.collective_id = $1 AND m.status = 'approved' AND ($2 IS NULL OR EXISTS (SELECT 1 \
             FROM collective_shared_endpoint_members s WHERE s.shared_endpoint_id = $2 \
             AND s.endpoint_id = m.endpoint_id)) AND",
            visible!("$3", "$4"),
            "ORDER BY m.id"
        )
    };
}

/// The memberships of a collective that a viewer sees, oldest first; all of them or those with one status.
pub async fn members(
    from: impl Reads,
    collective: CollectiveId,
    status: Option<MembershipStatus>,
    sight: Sight,
) -> Result<Vec<Member>> {
    const SQL: &str = concat!(
        member!(),
        tables!(),
        "WHERE m.collective_id = $1 AND ($2 IS NULL OR m.status = $2) AND",
        visible!("$3", "$4"),
        "ORDER BY m.id"
    );
    on!(from.source().conn().await?, c => sqlx::query_as::<_, Member>(SQL)
        .bind(collective.0)
        .bind(status.map(MembershipStatus::as_str))
        .bind(sight.is_admin)
        .bind(sight.viewer.map(|id| id.0))
        .fetch_all(c))
}

/// How one endpoint stands to a collective.
pub async fn find_member(
    from: impl Reads,
    collective: CollectiveId,
    endpoint: EndpointId,
) -> Result<Option<Member>> {
    const SQL: &str = concat!(member!(), tables!(), "WHERE m.collective_id = $1 AND m.endpoint_id = $2");
    on!(from.source().conn().await?, c => sqlx::query_as::<_, Member>(SQL)
        .bind(collective.0).bind(endpoint.0).fetch_optional(c))
}

/// How many memberships a collective has, whatever their state.
pub async fn count_members(from: impl Reads, collective: CollectiveId) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) FROM collective_members WHERE collective_id = $1";
    on!(from.source().conn().await?, c => sqlx::query_scalar::<_, i64>(SQL).bind(collective.0).fetch_one(c))
}

/// Writes how an endpoint stands, over what was there.
pub async fn put_member(tx: &mut Tx, membership: &Membership) -> Result<()> {
    const SQL: &str = "INSERT INTO collective_members (collective_id, endpoint_id, status, requested_at, \
        responded_at, reviewed_by_user_id) VALUES ($1, $2, $3, $4, $5, $6) \
        ON CONFLICT (collective_id, endpoint_id) DO UPDATE SET status = excluded.status, \
        requested_at = excluded.requested_at, responded_at = excluded.responded_at, \
        reviewed_by_user_id = excluded.reviewed_by_user_id";
    affected!(
        tx.held(),
        sqlx::query(SQL)
            .bind(membership.collective_id.0)
            .bind(membership.endpoint_id.0)
            .bind(membership.status.as_str())
            .bind(SqlTime(membership.requested_at))
            .bind(membership.responded_at.map(SqlTime))
            .bind(membership.reviewed_by_user_id.map(|id| id.0))
    )?;
    Ok(())
}

/// Removes a membership. `false` when there was none.
pub async fn delete_member(tx: &mut Tx, collective: CollectiveId, endpoint: EndpointId) -> Result<bool> {
    const SQL: &str = "DELETE FROM collective_members WHERE collective_id = $1 AND endpoint_id = $2";
    Ok(affected!(tx.held(), sqlx::query(SQL).bind(collective.0).bind(endpoint.0))? == 1)
}

/// Which of these endpoints are approved members, in ascending order.
pub async fn approved_among(
    from: impl Reads,
    collective: CollectiveId,
    ids: &[EndpointId],
) -> Result<Vec<EndpointId>> {
    const SQL: Sql = Sql {
        postgres: "SELECT endpoint_id FROM collective_members WHERE collective_id = $1 AND status = 'approved' \
             AND endpoint_id IN (SELECT CAST(jsonb_array_elements_text(CAST($2 AS jsonb)) AS BIGINT)) \
             ORDER BY endpoint_id",
        sqlite: "SELECT endpoint_id FROM collective_members WHERE collective_id = $1 AND status = 'approved' \
             AND endpoint_id IN (SELECT value FROM json_each($2)) ORDER BY endpoint_id",
    };
    let conn = from.source().conn().await?;
    let sql = SQL.pick(&conn);
    let found = on!(conn, c => sqlx::query_scalar::<_, i64>(sql)
        .bind(collective.0).bind(crate::json(ids)).fetch_all(c))?;
    Ok(found.into_iter().map(EndpointId).collect())
}

row! {
    /// The path of a member.
    #[derive(Debug, Clone)]
    struct PathRow {
        owner: Username,
        slug: Slug,
    }
}

/// Paths of the approved members that a viewer sees, oldest membership first; of all, or of those that one
/// shared endpoint has.
pub async fn paths(
    from: impl Reads,
    collective: CollectiveId,
    shared: Option<SharedEndpointId>,
    sight: Sight,
) -> Result<Vec<EndpointPath>> {
    const SQL: &str = concat!("SELECT u.username AS owner, e.slug", approved!());
    let rows = on!(from.source().conn().await?, c => sqlx::query_as::<_, PathRow>(SQL)
        .bind(collective.0)
        .bind(shared.map(|id| id.0))
        .bind(sight.is_admin)
        .bind(sight.viewer.map(|id| id.0))
        .fetch_all(c))?;
    let path = |row: PathRow| EndpointPath { owner: row.owner.into_string(), slug: row.slug.into_string() };
    Ok(rows.into_iter().map(path).collect())
}

row! {
    /// An approved member with its policies, for its price.
    #[derive(Debug, Clone, PartialEq)]
    pub struct ApprovedMember {
        /// The endpoint.
        pub endpoint_id: EndpointId,
        /// Its name.
        pub name: String,
        /// Second half of its path.
        pub slug: Slug,
        /// Its type.
        pub kind: EndpointType,
        /// Its owner.
        pub owner_id: UserId,
        /// First half of its path.
        pub owner_username: Username,
        /// The owner's name for people.
        pub owner_full_name: String,
        /// Its policies as they were given.
        pub policies: Value,
    }
}

/// The members that [`paths`] names, with their policies.
pub async fn approved(
    from: impl Reads,
    collective: CollectiveId,
    shared: Option<SharedEndpointId>,
    sight: Sight,
) -> Result<Vec<ApprovedMember>> {
    const SQL: &str = concat!(
        "SELECT m.endpoint_id, e.name, e.slug, e.type AS kind, e.user_id AS owner_id, \
         u.username AS owner_username, u.full_name AS owner_full_name, e.policies",
        approved!()
    );
    on!(from.source().conn().await?, c => sqlx::query_as::<_, ApprovedMember>(SQL)
        .bind(collective.0)
        .bind(shared.map(|id| id.0))
        .bind(sight.is_admin)
        .bind(sight.viewer.map(|id| id.0))
        .fetch_all(c))
}
