//! Listings. Every order is total (the id breaks ties), every page is one statement.

use sqlx::AssertSqlSafe;
use syfthub_domain::{EndpointType, UserId, Username, Visibility};

use super::{EndpointWithOwner, columns, listed, of_kind, tables};
use crate::column::row;
use crate::db::on;
use crate::search::like_pattern;
use crate::{Page, Reads, Result};

/// The order of a public listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// Last changed first.
    #[default]
    Updated,
    /// Most stars first, then last changed.
    Stars,
}

/// Which listed endpoints are wanted.
#[derive(Debug, Clone, Default)]
pub struct PublicFilter {
    /// Of this type, the combined type included where it does that type's work.
    pub kind: Option<EndpointType>,
    /// With this text in name, description, tags or owner, whatever its case and accents.
    pub search: Option<String>,
    /// Of this owner.
    pub owner: Option<String>,
    /// With at least so many stars.
    pub min_stars: Option<i64>,
    /// Without any policy, so that a guest may use them.
    pub guest_accessible: bool,
    /// In this order.
    pub sort: Sort,
}

/// Which of an owner's endpoints are wanted.
#[derive(Debug, Clone, Default)]
pub struct OwnerFilter {
    /// With this visibility.
    pub visibility: Option<Visibility>,
    /// With this text in name, description or tags.
    pub search: Option<String>,
    /// Only what is switched on.
    pub active_only: bool,
}

/// The conditions of a listing, with `$1` to `$5` in them whatever the filter is. Only what is asked for becomes
/// a condition on a column: `$1 IS NULL OR …` would hide the indexes from a plan that is made once for all values.
fn conditions(filter: &PublicFilter) -> [&'static str; 6] {
    [
        concat!(tables!(), "WHERE", listed!()),
        match filter.kind {
            Some(_) => concat!("AND", of_kind!("$1")),
            None => "AND CAST($1 AS TEXT) IS NULL ",
        },
        match filter.search {
            Some(_) => {
                "AND e.id IN (SELECT found.id FROM endpoints found WHERE found.listing_text LIKE $2 ESCAPE '\\' \
                 UNION SELECT found.id FROM users owner JOIN endpoints found ON found.user_id = owner.id \
                 WHERE owner.username LIKE $2 ESCAPE '\\') "
            }
            None => "AND CAST($2 AS TEXT) IS NULL ",
        },
        match filter.owner {
            Some(_) => "AND u.username = $3 ",
            None => "AND CAST($3 AS TEXT) IS NULL ",
        },
        match filter.min_stars {
            Some(_) => "AND e.stars_count >= $4 ",
            None => "AND CAST($4 AS BIGINT) IS NULL ",
        },
        if filter.guest_accessible { "AND $5 AND e.policies = '[]' " } else { "AND NOT $5 " },
    ]
}

fn listing(filter: &PublicFilter) -> String {
    let order = match filter.sort {
        Sort::Updated => "ORDER BY e.updated_at DESC, e.id DESC LIMIT $6 OFFSET $7",
        Sort::Stars => "ORDER BY e.stars_count DESC, e.updated_at DESC, e.id DESC LIMIT $6 OFFSET $7",
    };
    format!("SELECT {}{}{order}", columns!(), conditions(filter).concat())
}

/// A page of listed endpoints.
pub async fn list_public(
    from: impl Reads,
    filter: &PublicFilter,
    page: Page,
) -> Result<Vec<EndpointWithOwner>> {
    let sql = AssertSqlSafe(listing(filter)); // made of constants only
    on!(from.source().conn().await?, c => sqlx::query_as::<_, EndpointWithOwner>(sql)
        .bind(filter.kind.map(EndpointType::as_str))
        .bind(filter.search.as_deref().map(like_pattern))
        .bind(filter.owner.as_deref())
        .bind(filter.min_stars)
        .bind(filter.guest_accessible)
        .bind(i64::from(page.limit))
        .bind(i64::from(page.skip))
        .fetch_all(c))
}

/// How many endpoints [`list_public`] would give without a page.
pub async fn count_public(from: impl Reads, filter: &PublicFilter) -> Result<i64> {
    let sql = AssertSqlSafe(format!("SELECT COUNT(*){}", conditions(filter).concat())); // made of constants only
    on!(from.source().conn().await?, c => sqlx::query_scalar::<_, i64>(sql)
        .bind(filter.kind.map(EndpointType::as_str))
        .bind(filter.search.as_deref().map(like_pattern))
        .bind(filter.owner.as_deref())
        .bind(filter.min_stars)
        .bind(filter.guest_accessible)
        .fetch_one(c))
}

/// Listed endpoints without any policy, last changed first.
pub async fn list_guest_accessible(
    from: impl Reads,
    kind: Option<EndpointType>,
    page: Page,
) -> Result<Vec<EndpointWithOwner>> {
    list_public(from, &PublicFilter { kind, guest_accessible: true, ..PublicFilter::default() }, page).await
}

/// Listed endpoints, most stars first.
pub async fn list_trending(
    from: impl Reads,
    kind: Option<EndpointType>,
    min_stars: Option<i64>,
    page: Page,
) -> Result<Vec<EndpointWithOwner>> {
    list_public(from, &PublicFilter { kind, min_stars, sort: Sort::Stars, ..PublicFilter::default() }, page)
        .await
}

/// Listed endpoints of an owner, last changed first; none for an unknown owner.
pub async fn list_public_by_owner(
    from: impl Reads,
    owner: &str,
    page: Page,
) -> Result<Vec<EndpointWithOwner>> {
    list_public(from, &PublicFilter { owner: Some(owner.to_owned()), ..PublicFilter::default() }, page).await
}

const OWN: &str = concat!("SELECT ", columns!(), tables!(), "WHERE e.user_id = $1 ");
const OWN_ORDER: &str = "AND (NOT $4 OR (e.is_active = TRUE AND e.admin_disabled = FALSE)) \
    ORDER BY e.updated_at DESC, e.id DESC LIMIT $5 OFFSET $6";

/// An owner's endpoints in every state, last changed first.
pub async fn list_by_owner(
    from: impl Reads,
    owner: UserId,
    filter: &OwnerFilter,
    page: Page,
) -> Result<Vec<EndpointWithOwner>> {
    let visibility =
        if filter.visibility.is_some() { "AND e.visibility = $2 " } else { "AND CAST($2 AS TEXT) IS NULL " };
    let search = match filter.search {
        Some(_) => "AND e.listing_text LIKE $3 ESCAPE '\\' ",
        None => "AND CAST($3 AS TEXT) IS NULL ",
    };
    let sql = AssertSqlSafe([OWN, visibility, search, OWN_ORDER].concat()); // made of constants only
    on!(from.source().conn().await?, c => sqlx::query_as::<_, EndpointWithOwner>(sql)
        .bind(owner.0)
        .bind(filter.visibility.map(Visibility::as_str))
        .bind(filter.search.as_deref().map(like_pattern))
        .bind(filter.active_only)
        .bind(i64::from(page.limit))
        .bind(i64::from(page.skip))
        .fetch_all(c))
}

row! {
    /// How much an owner has published.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct OwnerSummary {
        /// The owner's name.
        pub username: Username,
        /// All listed endpoints.
        pub endpoint_count: i64,
        /// Of type `model` exactly.
        pub model_count: i64,
        /// Of type `data_source` exactly.
        pub data_source_count: i64,
    }
}

const OWNERS: &str = concat!(
    "SELECT u.username, COUNT(*) AS endpoint_count, \
     COUNT(CASE WHEN e.type = 'model' THEN 1 END) AS model_count, \
     COUNT(CASE WHEN e.type = 'data_source' THEN 1 END) AS data_source_count",
    tables!(),
    "WHERE",
    listed!(),
    "GROUP BY u.id, u.username ORDER BY COUNT(*) DESC, u.username LIMIT $1 OFFSET $2"
);

/// Owners of listed endpoints, most endpoints first, then by name.
pub async fn list_owners(from: impl Reads, page: Page) -> Result<Vec<OwnerSummary>> {
    on!(from.source().conn().await?, c => sqlx::query_as::<_, OwnerSummary>(OWNERS)
        .bind(i64::from(page.limit)).bind(i64::from(page.skip)).fetch_all(c))
}

/// How many owners [`list_owners`] would give without a page.
pub async fn count_owners(from: impl Reads) -> Result<i64> {
    const SQL: &str = concat!("SELECT COUNT(DISTINCT e.user_id)", tables!(), "WHERE", listed!());
    on!(from.source().conn().await?, c => sqlx::query_scalar::<_, i64>(SQL).fetch_one(c))
}

row! {
    /// A listed endpoint in the listing by owners.
    #[derive(Debug, Clone, PartialEq)]
    pub struct GroupedEndpoint {
        /// How many listed endpoints its owner has.
        pub owner_total: i64,
    }
    flatten {
        /// The endpoint.
        pub item: EndpointWithOwner,
    }
}

/// At most this many endpoints come out of [`grouped`].
const MAX_GROUPED: i64 = 5_000;

/// Bytes of text that come out of [`grouped`] at most, whatever owners write into their endpoints.
pub const MAX_GROUPED_BYTES: i64 = 16 * 1024 * 1024;

// Who comes first is decided on an index alone; the long texts are looked at only of those who are shown.
const GROUPED: &str = concat!(
    "WITH ranked AS (SELECT e.id, u.username, \
     ROW_NUMBER() OVER (PARTITION BY e.user_id ORDER BY e.updated_at DESC, e.id DESC) AS place, \
     COUNT(*) OVER (PARTITION BY e.user_id) AS owner_total",
    tables!(),
    "WHERE",
    listed!(),
    "), chosen AS (SELECT id, owner_total FROM ranked WHERE place <= $1 \
     ORDER BY owner_total DESC, username, place LIMIT $2), \
     sized AS (SELECT c.id, c.owner_total, (SELECT octet_length(e.readme) + octet_length(e.policies) \
     + octet_length(e.connect) + 1000 FROM endpoints e WHERE e.id = c.id) AS size FROM chosen c), \
     shown AS (SELECT id, owner_total, SUM(size) OVER (ORDER BY size, id) AS together FROM sized) \
     SELECT shown.owner_total, ",
    columns!(),
    tables!(),
    "JOIN shown ON shown.id = e.id WHERE shown.together <= $3 \
     ORDER BY shown.owner_total DESC, u.username, e.updated_at DESC, e.id DESC"
);

/// The first `max_per_owner` listed endpoints of each owner, owners with most endpoints first, then by name;
/// rows of one owner follow each other, last changed first. What is long is left out first when all together is
/// more than [`MAX_GROUPED_BYTES`], so that a few owners of huge texts do not crowd out all others.
pub async fn grouped(from: impl Reads, max_per_owner: u32) -> Result<Vec<GroupedEndpoint>> {
    on!(from.source().conn().await?, c => sqlx::query_as::<_, GroupedEndpoint>(GROUPED)
        .bind(i64::from(max_per_owner)).bind(MAX_GROUPED).bind(MAX_GROUPED_BYTES).fetch_all(c))
}

#[cfg(test)]
#[path = "listing_plans.rs"]
mod plans;
