//! Which endpoints hold a word, heaviest first.

use syfthub_domain::{EndpointId, EndpointType, Timestamp};

use crate::column::row;
use crate::db::{Sql, on};
use crate::endpoints::{listed, of_kind, tables};
use crate::{Db, Reads, Result};

row! {
    /// A word in an endpoint.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Posting {
        /// The word.
        pub term_id: i64,
        /// The endpoint.
        pub endpoint_id: EndpointId,
        /// How much the word weighs there, up to [`super::FULL_WEIGHT`].
        pub weight: i64,
    }
}

row! {
    /// What decides between endpoints that fit equally well.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Fact {
        /// The endpoint.
        pub id: EndpointId,
        /// How many stars it has.
        pub stars_count: i64,
        /// Time of the owner's last change.
        pub updated_at: Timestamp,
    }
}

/// Which postings [`postings`] reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadOf {
    /// All that are indexed: fast, but some may be switched off.
    Indexed,
    /// Of what is listed and, if given, of this type (the combined type included where it does that work).
    Listed(Option<EndpointType>),
}

macro_rules! of_term {
    ($term:literal, $joins:expr, $limit:literal) => {
        concat!(
            "SELECT p.term_id, p.endpoint_id, p.weight FROM search_postings p ",
            $joins,
            " WHERE p.term_id = ",
            $term,
            " ORDER BY p.weight DESC, p.endpoint_id LIMIT ",
            $limit
        )
    };
}

macro_rules! listed_only {
    ($kind:literal) => {
        concat!(
            "JOIN endpoints e ON e.id = p.endpoint_id JOIN users u ON u.id = e.user_id AND",
            listed!(),
            "AND",
            of_kind!($kind)
        )
    };
}

macro_rules! of_each {
    ($joins:expr) => {
        concat!(
            "SELECT found.term_id, found.endpoint_id, found.weight \
             FROM jsonb_array_elements_text(CAST($1 AS jsonb)) AS given (id) CROSS JOIN LATERAL (",
            of_term!("CAST(given.id AS BIGINT)", $joins, "$2"),
            ") AS found"
        )
    };
}

const INDEXED: Sql = Sql { postgres: of_each!(""), sqlite: of_term!("$1", "", "$2") };
const LISTED: Sql =
    Sql { postgres: of_each!(listed_only!("$3")), sqlite: of_term!("$1", listed_only!("$3"), "$2") };

/// What a test of the plans looks at: the statement of one word.
#[cfg(test)]
pub(crate) const PLANS: [Sql; 1] =
    [Sql { postgres: of_term!("$1", "", "$2"), sqlite: of_term!("$1", "", "$2") }];

/// At most `limit` postings of each of these words, heaviest first, equal ones by id.
pub async fn postings(db: &Db, terms: &[i64], of: ReadOf, limit: u32) -> Result<Vec<Posting>> {
    let sql = if of == ReadOf::Indexed { INDEXED } else { LISTED };
    let (limit, kind) = (
        i64::from(limit),
        match of {
            ReadOf::Indexed => None,
            ReadOf::Listed(kind) => kind.map(EndpointType::as_str),
        },
    );
    match db {
        Db::Postgres(pool) => {
            let query = sqlx::query_as::<_, Posting>(sql.postgres).bind(crate::json(terms)).bind(limit);
            let query = if of == ReadOf::Indexed { query } else { query.bind(kind) };
            Ok(query.fetch_all(pool).await?)
        }
        // A statement per word: SQLite has no lateral join, and a call into it costs little.
        Db::Sqlite { read, .. } => {
            let mut conn = read.acquire().await?;
            let mut found = Vec::new();
            for term in terms {
                let query = sqlx::query_as::<_, Posting>(sql.sqlite).bind(term).bind(limit);
                let query = if of == ReadOf::Indexed { query } else { query.bind(kind) };
                found.extend(query.fetch_all(&mut *conn).await?);
            }
            Ok(found)
        }
    }
}

/// Endpoints that hold both words, those first in which both together weigh most; only the `looked_at` heaviest
/// postings of `rare` are looked at.
pub async fn together(
    from: impl Reads,
    rare: i64,
    other: i64,
    looked_at: u32,
    limit: u32,
) -> Result<Vec<EndpointId>> {
    const SQL: &str = "SELECT a.endpoint_id FROM (SELECT endpoint_id, weight FROM search_postings \
        WHERE term_id = $1 ORDER BY weight DESC, endpoint_id LIMIT $3) AS a \
        JOIN search_postings b ON b.endpoint_id = a.endpoint_id AND b.term_id = $2 \
        ORDER BY a.weight + b.weight DESC, a.endpoint_id LIMIT $4";
    let ids = on!(from.source().conn().await?, c => sqlx::query_scalar::<_, i64>(SQL)
        .bind(rare).bind(other).bind(i64::from(looked_at)).bind(i64::from(limit)).fetch_all(c))?;
    Ok(ids.into_iter().map(EndpointId).collect())
}

/// The postings of these words in these endpoints.
pub async fn weights(from: impl Reads, terms: &[i64], endpoints: &[EndpointId]) -> Result<Vec<Posting>> {
    const SQL: Sql = Sql {
        postgres: "SELECT term_id, endpoint_id, weight FROM search_postings \
            WHERE endpoint_id IN (SELECT CAST(jsonb_array_elements_text(CAST($2 AS jsonb)) AS BIGINT)) \
            AND term_id IN (SELECT CAST(jsonb_array_elements_text(CAST($1 AS jsonb)) AS BIGINT))",
        sqlite: "SELECT term_id, endpoint_id, weight FROM search_postings \
            WHERE endpoint_id IN (SELECT value FROM json_each($2)) AND term_id IN (SELECT value FROM json_each($1))",
    };
    let conn = from.source().conn().await?;
    let sql = SQL.pick(&conn);
    on!(conn, c => sqlx::query_as::<_, Posting>(sql).bind(crate::json(terms)).bind(crate::json(endpoints)).fetch_all(c))
}

/// What decides between these endpoints; those that are not listed or not of the type are left out.
pub async fn facts(
    from: impl Reads,
    endpoints: &[EndpointId],
    kind: Option<EndpointType>,
) -> Result<Vec<Fact>> {
    const SQL: Sql = Sql {
        postgres: concat!(
            "SELECT e.id, e.stars_count, e.updated_at",
            tables!(),
            "WHERE e.id IN (SELECT CAST(jsonb_array_elements_text(CAST($1 AS jsonb)) AS BIGINT)) AND",
            listed!(),
            "AND",
            of_kind!("$2")
        ),
        sqlite: concat!(
            "SELECT e.id, e.stars_count, e.updated_at",
            tables!(),
            "WHERE e.id IN (SELECT value FROM json_each($1)) AND",
            listed!(),
            "AND",
            of_kind!("$2")
        ),
    };
    let conn = from.source().conn().await?;
    let sql = SQL.pick(&conn);
    on!(conn, c => sqlx::query_as::<_, Fact>(sql)
        .bind(crate::json(endpoints)).bind(kind.map(EndpointType::as_str)).fetch_all(c))
}
