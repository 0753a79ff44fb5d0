//! Which endpoints hold a word, heaviest first.

use serde_json::{Value, json};
use syfthub_domain::{EndpointId, EndpointType, Timestamp};

use crate::column::row;
use crate::db::{Conn, Sql, on};
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

// One row for each word: of thousands of short rows the reading would cost more than the finding.
macro_rules! of_each {
    ($joins:expr) => {
        concat!(
            "SELECT given.id AS term_id, found.ids, found.weights \
             FROM jsonb_to_recordset(CAST($1 AS jsonb)) AS given (id BIGINT, n BIGINT) CROSS JOIN LATERAL (\
             SELECT ARRAY_AGG(heaviest.endpoint_id) AS ids, ARRAY_AGG(heaviest.weight) AS weights FROM (",
            of_term!("given.id", $joins, "given.n"),
            ") AS heaviest) AS found WHERE found.ids IS NOT NULL"
        )
    };
}

const INDEXED: Sql = Sql { postgres: of_each!(""), sqlite: of_term!("$1", "", "$2") };
const LISTED: Sql =
    Sql { postgres: of_each!(listed_only!("$2")), sqlite: of_term!("$1", listed_only!("$3"), "$2") };

/// What a test of the plans looks at: the statement of one word.
#[cfg(test)]
pub(crate) const PLANS: [Sql; 1] =
    [Sql { postgres: of_term!("$1", "", "$2"), sqlite: of_term!("$1", "", "$2") }];

/// The heaviest postings of these words, of each at most the number beside it; heaviest first, equal ones by id.
/// Those of one word follow one another.
pub async fn postings(db: &Db, terms: &[(i64, u32)], of: ReadOf) -> Result<Vec<Posting>> {
    let sql = if of == ReadOf::Indexed { INDEXED } else { LISTED };
    let kind = match of {
        ReadOf::Indexed => None,
        ReadOf::Listed(kind) => kind.map(EndpointType::as_str),
    };
    let mut found = Vec::new();
    match db {
        Db::Postgres(pool) => {
            let given: Vec<Value> = terms.iter().map(|(id, n)| json!({"id": id, "n": n})).collect();
            let query = sqlx::query_as::<_, Weights>(sql.postgres).bind(crate::json(&given));
            let query = if of == ReadOf::Indexed { query } else { query.bind(kind) };
            found.extend(query.fetch_all(pool).await?.into_iter().flat_map(unfold));
        }
        // A statement per word: SQLite has no lateral join, and a call into it costs little.
        Db::Sqlite { read, .. } => {
            let mut conn = read.acquire().await?;
            for (term, limit) in terms {
                let query = sqlx::query_as::<_, Posting>(sql.sqlite).bind(term).bind(i64::from(*limit));
                let query = if of == ReadOf::Indexed { query } else { query.bind(kind) };
                found.extend(query.fetch_all(&mut *conn).await?);
            }
        }
    }
    Ok(found)
}

/// What each of these words weighs in the endpoint beside it; without those that do not hold it. Those of one word
/// follow one another.
pub async fn weights(from: impl Reads, pairs: &[(i64, EndpointId)]) -> Result<Vec<Posting>> {
    const POSTGRES: &str = "SELECT p.term_id, ARRAY_AGG(p.endpoint_id), ARRAY_AGG(p.weight) \
        FROM UNNEST($1, $2) AS given (t, e) \
        JOIN search_postings p ON p.endpoint_id = given.e AND p.term_id = given.t GROUP BY p.term_id";
    // CROSS JOIN keeps SQLite from reading all postings first.
    const SQLITE: &str = "SELECT p.term_id, p.endpoint_id, p.weight FROM json_each($1) AS given \
        CROSS JOIN search_postings p ON p.endpoint_id = json_extract(given.value, '$[1]') \
        AND p.term_id = json_extract(given.value, '$[0]') ORDER BY p.term_id";
    match from.source().conn().await? {
        Conn::Postgres(mut c) => {
            let (terms, endpoints): (Vec<i64>, Vec<i64>) =
                pairs.iter().map(|(term, id)| (*term, id.0)).unzip();
            let query = sqlx::query_as::<_, Weights>(POSTGRES).bind(terms).bind(endpoints);
            Ok(query.fetch_all(&mut *c).await?.into_iter().flat_map(unfold).collect())
        }
        Conn::Sqlite(mut c) => {
            let query = sqlx::query_as::<_, Posting>(SQLITE).bind(crate::json(pairs));
            Ok(query.fetch_all(&mut *c).await?)
        }
    }
}

/// A word, endpoints that hold it, and its weight in each.
type Weights = (i64, Vec<i64>, Vec<i64>);

fn unfold((term_id, ids, weights): Weights) -> impl Iterator<Item = Posting> {
    ids.into_iter().zip(weights).map(move |(id, weight)| Posting {
        term_id,
        endpoint_id: EndpointId(id),
        weight,
    })
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
