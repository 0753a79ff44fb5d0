//! Listings. Every order is total (the id breaks ties), every page is one statement.

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

macro_rules! filtered {
    () => {
        concat!(
            tables!(),
            "WHERE",
            listed!(),
            "AND",
            of_kind!("$1"),
            "AND ($2 IS NULL OR e.listing_text LIKE $2 ESCAPE '\\' OR u.username LIKE $2 ESCAPE '\\') \
             AND ($3 IS NULL OR u.username = $3) AND ($4 IS NULL OR e.stars_count >= $4) \
             AND (NOT $5 OR e.policies = '[]') "
        )
    };
}

const UPDATED: &str =
    concat!("SELECT ", columns!(), filtered!(), "ORDER BY e.updated_at DESC, e.id DESC LIMIT $6 OFFSET $7");
const STARS: &str = concat!(
    "SELECT ",
    columns!(),
    filtered!(),
    "ORDER BY e.stars_count DESC, e.updated_at DESC, e.id DESC LIMIT $6 OFFSET $7"
);

/// A page of listed endpoints.
pub async fn list_public(
    from: impl Reads,
    filter: &PublicFilter,
    page: Page,
) -> Result<Vec<EndpointWithOwner>> {
    let sql = match filter.sort {
        Sort::Updated => UPDATED,
        Sort::Stars => STARS,
    };
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
    const SQL: &str = concat!("SELECT COUNT(*)", filtered!());
    on!(from.source().conn().await?, c => sqlx::query_scalar::<_, i64>(SQL)
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

/// An owner's endpoints in every state, last changed first.
pub async fn list_by_owner(
    from: impl Reads,
    owner: UserId,
    filter: &OwnerFilter,
    page: Page,
) -> Result<Vec<EndpointWithOwner>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        tables!(),
        "WHERE e.user_id = $1 AND ($2 IS NULL OR e.visibility = $2) \
         AND ($3 IS NULL OR e.listing_text LIKE $3 ESCAPE '\\') \
         AND (NOT $4 OR (e.is_active = TRUE AND e.admin_disabled = FALSE)) \
         ORDER BY e.updated_at DESC, e.id DESC LIMIT $5 OFFSET $6"
    );
    on!(from.source().conn().await?, c => sqlx::query_as::<_, EndpointWithOwner>(SQL)
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

/// Owners of listed endpoints, most endpoints first, then by name.
pub async fn list_owners(from: impl Reads, page: Page) -> Result<Vec<OwnerSummary>> {
    const SQL: &str = concat!(
        "SELECT u.username, COUNT(*) AS endpoint_count, \
         COUNT(CASE WHEN e.type = 'model' THEN 1 END) AS model_count, \
         COUNT(CASE WHEN e.type = 'data_source' THEN 1 END) AS data_source_count",
        tables!(),
        "WHERE",
        listed!(),
        "GROUP BY u.id, u.username ORDER BY COUNT(*) DESC, u.username LIMIT $1 OFFSET $2"
    );
    on!(from.source().conn().await?, c => sqlx::query_as::<_, OwnerSummary>(SQL)
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

/// The first `max_per_owner` listed endpoints of each owner, owners with most endpoints first, then by name;
/// rows of one owner follow each other, last changed first. What is long is left out first when all together is
/// more than [`MAX_GROUPED_BYTES`], so that a few owners of huge texts do not crowd out all others.
pub async fn grouped(from: impl Reads, max_per_owner: u32) -> Result<Vec<GroupedEndpoint>> {
    const SQL: &str = concat!(
        "WITH ranked AS (SELECT e.id, \
         ROW_NUMBER() OVER (PARTITION BY e.user_id ORDER BY e.updated_at DESC, e.id DESC) AS place, \
         COUNT(*) OVER (PARTITION BY e.user_id) AS owner_total, \
         octet_length(e.readme) + octet_length(e.policies) + octet_length(e.connect) + 1000 AS size",
        tables!(),
        "WHERE",
        listed!(),
        "), shown AS (SELECT id, owner_total, SUM(size) OVER (ORDER BY size, id) AS together \
         FROM ranked WHERE place <= $1) \
         SELECT shown.owner_total, ",
        columns!(),
        tables!(),
        "JOIN shown ON shown.id = e.id WHERE shown.together <= $3 \
         ORDER BY shown.owner_total DESC, u.username, e.updated_at DESC, e.id DESC LIMIT $2"
    );
    on!(from.source().conn().await?, c => sqlx::query_as::<_, GroupedEndpoint>(SQL)
        .bind(i64::from(max_per_owner)).bind(MAX_GROUPED).bind(MAX_GROUPED_BYTES).fetch_all(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Db;

    /// Two thousand listed endpoints of fifty owners, and as many that are not listed.
    const FILL: &str = "\
        INSERT INTO users (username, email, full_name, created_at, updated_at) \
        SELECT 'user' || n, n || '@example.org', 'User', now(), now() FROM generate_series(1, 50) AS n; \
        INSERT INTO endpoints (user_id, name, slug, type, visibility, readme, stars_count, created_at, updated_at) \
        SELECT 1 + n % 50, 'Name ' || n, 'slug-' || n, 'model', \
               CASE WHEN n % 2 = 0 THEN 'public' ELSE 'private' END, repeat('text ', 200), (n * 7919) % 1000, \
               now(), now() - make_interval(mins => (n * 7919) % 4001) \
        FROM generate_series(1, 4000) AS n; \
        ANALYZE";

    /// The plan of a listing with the values that the front page sends, as text.
    async fn plan(db: &Db, listing: &'static str) -> String {
        let Db::Postgres(pool) = db else { unreachable!("a PostgreSQL database") };
        let sql = sqlx::AssertSqlSafe(format!("EXPLAIN {listing}"));
        let lines: Vec<String> = sqlx::query_scalar(sql)
            .bind(None::<&str>)
            .bind(None::<&str>)
            .bind(None::<&str>)
            .bind(None::<i64>)
            .bind(false)
            .bind(20_i64)
            .bind(0_i64)
            .fetch_all(pool)
            .await
            .unwrap();
        lines.join("\n")
    }

    #[tokio::test]
    async fn public_listings_read_the_first_rows_of_their_index() {
        let url = syfthub_testing::postgres::shared().await.fresh_database().await;
        let db = Db::connect(&syfthub_testing::postgres_settings(&url)).await.unwrap();
        db.migrate().await.unwrap();
        let Db::Postgres(pool) = &db else { unreachable!("a PostgreSQL database") };
        sqlx::raw_sql(FILL).execute(pool).await.unwrap();
        for (listing, index) in [(UPDATED, "endpoints_listing_idx"), (STARS, "endpoints_trending_idx")] {
            let plan = plan(&db, listing).await;
            assert!(plan.contains(&format!("using {index}")), "{plan}");
            assert!(!plan.contains("Sort"), "the index gives the order: {plan}");
        }
    }
}
