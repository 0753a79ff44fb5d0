//! Keeping the index in step with the endpoints, in the transaction of each change.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use syfthub_domain::{EndpointId, Tag, UserId, Visibility};

use super::text::fold;
use super::weight::{Document, weigh};
use crate::column::row;
use crate::db::{Sql, affected, on};
use crate::{Reads, Result, Tx};

/// Endpoints that are indexed with one set of statements.
const BATCH: usize = 300;
/// The word whose row counts the indexed endpoints.
pub(super) const EVERY_DOCUMENT: &str = "";

row! {
    /// What is indexed of an endpoint.
    #[derive(Debug)]
    struct Source {
        id: EndpointId,
        visibility: Visibility,
        slug: String,
        name: String,
        description: String,
        readme: String,
        tags: Vec<Tag>,
        owner_username: String,
    }
}

impl Source {
    fn listing_text(&self) -> String {
        let tags: Vec<&str> = self.tags.iter().map(Tag::as_str).collect();
        fold(&format!("{}\n{}\n{}", self.name, self.description, tags.join("\n")))
    }

    /// What anybody may find it by.
    fn weights(&self) -> BTreeMap<String, i64> {
        if self.visibility != Visibility::Public {
            return BTreeMap::new();
        }
        weigh(&Document {
            name: &self.name,
            slug: &self.slug,
            owner: &self.owner_username,
            tags: &self.tags,
            description: &self.description,
            readme: &self.readme,
        })
    }
}

/// Taken before the first row of a change that touches the index: words are shared by all endpoints, and two
/// changes that lock them in different orders would deadlock. SQLite has only one writer anyway.
pub(crate) async fn lock(tx: &mut Tx) -> Result<()> {
    if let Tx::Postgres(conn) = tx {
        sqlx::query("SELECT pg_advisory_xact_lock(839204)").execute(&mut **conn).await?;
    }
    Ok(())
}

/// Brings the index in step with endpoints after they were inserted or changed.
pub(crate) async fn reindex(tx: &mut Tx, ids: &[EndpointId]) -> Result<()> {
    for ids in ids.chunks(BATCH) {
        let sources = sources(tx, ids).await?;
        set_listing_texts(tx, &sources).await?;
        let documents = sources.iter().map(|source| (source.id, source.weights())).collect();
        replace(tx, ids, &documents).await?;
    }
    Ok(())
}

/// The same for every endpoint of an owner, after a new name.
pub(crate) async fn reindex_owner(tx: &mut Tx, owner: UserId) -> Result<()> {
    let ids = ids_of(tx, owner).await?;
    reindex(tx, &ids).await
}

/// Takes endpoints out of the index.
pub(crate) async fn remove(tx: &mut Tx, ids: &[EndpointId]) -> Result<()> {
    for ids in ids.chunks(BATCH) {
        uncount(tx, ids).await?;
        clear(tx, ids).await?;
    }
    Ok(())
}

/// Takes everything of an owner out of the index.
pub(crate) async fn remove_owner(tx: &mut Tx, owner: UserId) -> Result<()> {
    let ids = ids_of(tx, owner).await?;
    remove(tx, &ids).await
}

/// Builds the whole index anew, for example after rows were edited by hand. Gives how many endpoints
/// were read.
pub async fn rebuild(tx: &mut Tx) -> Result<usize> {
    const IDS: &str = "SELECT id FROM endpoints ORDER BY id";
    lock(tx).await?;
    for sql in ["DELETE FROM search_postings", "DELETE FROM search_terms"] {
        affected!(tx.held(), sqlx::query(sql))?;
    }
    let ids = on!(tx.held(), c => sqlx::query_scalar::<_, i64>(IDS).fetch_all(c))?;
    let ids: Vec<EndpointId> = ids.into_iter().map(EndpointId).collect();
    let (mut known, mut indexed) = (BTreeSet::new(), 0);
    for ids in ids.chunks(BATCH) {
        let sources = sources(tx, ids).await?;
        set_listing_texts(tx, &sources).await?;
        let documents: BTreeMap<_, _> = sources.iter().map(|source| (source.id, source.weights())).collect();
        let documents: BTreeMap<_, _> = documents.iter().filter(|(_, words)| !words.is_empty()).collect();
        // Counted at the end: PostgreSQL keeps every version of a row that one change writes again and again.
        let words = documents.values().flat_map(|words| words.keys());
        let new: BTreeMap<String, i64> =
            words.filter(|word| known.insert((*word).clone())).map(|word| (word.clone(), 0)).collect();
        add_terms(tx, &new).await?;
        fill(tx, &documents).await?;
        indexed += i64::try_from(documents.len()).unwrap_or(0);
    }
    recount(tx).await?;
    add_terms(tx, &BTreeMap::from([(EVERY_DOCUMENT.to_owned(), indexed)])).await?;
    Ok(ids.len())
}

/// Counts in how many endpoints each word occurs.
async fn recount(tx: &mut Tx) -> Result<()> {
    const SQL: &str = "UPDATE search_terms SET documents = found.n \
        FROM (SELECT term_id, COUNT(*) AS n FROM search_postings GROUP BY term_id) AS found \
        WHERE search_terms.id = found.term_id";
    affected!(tx.held(), sqlx::query(SQL))?;
    Ok(())
}

/// Whether the index was ever built; it is missing after an upgrade that changed its form.
pub async fn is_built(from: impl Reads) -> Result<bool> {
    const SQL: &str = "SELECT COUNT(*) FROM search_terms WHERE term = ''";
    Ok(on!(from.source().conn().await?, c => sqlx::query_scalar::<_, i64>(SQL).fetch_one(c))? > 0)
}

/// Builds the index if it is not built. Gives how many endpoints were read, if it did.
pub async fn build_if_missing(tx: &mut Tx) -> Result<Option<usize>> {
    lock(tx).await?; // of several replicas that start at once, one builds it
    if is_built(&mut *tx).await? { Ok(None) } else { rebuild(tx).await.map(Some) }
}

async fn ids_of(tx: &mut Tx, owner: UserId) -> Result<Vec<EndpointId>> {
    const IDS: &str = "SELECT id FROM endpoints WHERE user_id = $1 ORDER BY id";
    let ids = on!(tx.held(), c => sqlx::query_scalar::<_, i64>(IDS).bind(owner.0).fetch_all(c))?;
    Ok(ids.into_iter().map(EndpointId).collect())
}

async fn sources(tx: &mut Tx, ids: &[EndpointId]) -> Result<Vec<Source>> {
    const SQL: Sql = Sql {
        postgres: "SELECT e.id, e.visibility, e.slug, e.name, e.description, e.readme, \
            COALESCE((SELECT string_agg(t.tag, ',' ORDER BY t.position) FROM endpoint_tags t \
                      WHERE t.endpoint_id = e.id), '') AS tags, u.username AS owner_username \
            FROM endpoints e JOIN users u ON u.id = e.user_id \
            WHERE e.id IN (SELECT CAST(jsonb_array_elements_text(CAST($1 AS jsonb)) AS BIGINT))",
        sqlite: "SELECT e.id, e.visibility, e.slug, e.name, e.description, e.readme, \
            COALESCE((SELECT string_agg(t.tag, ',' ORDER BY t.position) FROM endpoint_tags t \
                      WHERE t.endpoint_id = e.id), '') AS tags, u.username AS owner_username \
            FROM endpoints e JOIN users u ON u.id = e.user_id WHERE e.id IN (SELECT value FROM json_each($1))",
    };
    let conn = tx.held();
    let sql = SQL.pick(&conn);
    on!(conn, c => sqlx::query_as::<_, Source>(sql).bind(crate::json(ids)).fetch_all(c))
}

async fn set_listing_texts(tx: &mut Tx, sources: &[Source]) -> Result<()> {
    const SQL: Sql = Sql {
        postgres: "UPDATE endpoints SET listing_text = given.text \
            FROM jsonb_to_recordset(CAST($1 AS jsonb)) AS given (id BIGINT, text TEXT) \
            WHERE endpoints.id = given.id AND endpoints.listing_text <> given.text",
        sqlite: "UPDATE endpoints SET listing_text = json_extract(given.value, '$.text') FROM json_each($1) AS given \
            WHERE endpoints.id = json_extract(given.value, '$.id') \
            AND endpoints.listing_text <> json_extract(given.value, '$.text')",
    };
    let texts: Vec<Value> =
        sources.iter().map(|source| json!({"id": source.id.0, "text": source.listing_text()})).collect();
    let conn = tx.held();
    let sql = SQL.pick(&conn);
    affected!(conn, sqlx::query(sql).bind(crate::json(&texts)))?;
    Ok(())
}

/// Replaces what is indexed of `ids`; one that has no words in `documents` is taken out.
async fn replace(
    tx: &mut Tx,
    ids: &[EndpointId],
    documents: &BTreeMap<EndpointId, BTreeMap<String, i64>>,
) -> Result<()> {
    let mut changes: BTreeMap<String, i64> = BTreeMap::new();
    let mut indexed = BTreeSet::new();
    for (id, term) in old_terms(tx, ids).await? {
        *changes.entry(term).or_default() -= 1;
        indexed.insert(id);
    }
    let documents: BTreeMap<_, _> = documents.iter().filter(|(_, words)| !words.is_empty()).collect();
    for word in documents.values().flat_map(|words| words.keys()) {
        *changes.entry(word.clone()).or_default() += 1;
    }
    let more = i64::try_from(documents.len()).unwrap_or(0) - i64::try_from(indexed.len()).unwrap_or(0);
    changes.insert(EVERY_DOCUMENT.to_owned(), more);
    changes.retain(|_, n| *n != 0);
    if !indexed.is_empty() {
        clear(tx, ids).await?;
    }
    add_terms(tx, &changes).await?;
    fill(tx, &documents).await
}

async fn old_terms(tx: &mut Tx, ids: &[EndpointId]) -> Result<Vec<(i64, String)>> {
    const SQL: Sql = Sql {
        postgres: "SELECT p.endpoint_id, t.term FROM search_postings p JOIN search_terms t ON t.id = p.term_id \
            WHERE p.endpoint_id IN (SELECT CAST(jsonb_array_elements_text(CAST($1 AS jsonb)) AS BIGINT))",
        sqlite: "SELECT p.endpoint_id, t.term FROM search_postings p JOIN search_terms t ON t.id = p.term_id \
            WHERE p.endpoint_id IN (SELECT value FROM json_each($1))",
    };
    let conn = tx.held();
    let sql = SQL.pick(&conn);
    on!(conn, c => sqlx::query_as::<_, (i64, String)>(sql).bind(crate::json(ids)).fetch_all(c))
}

async fn clear(tx: &mut Tx, ids: &[EndpointId]) -> Result<()> {
    const SQL: Sql = Sql {
        postgres: "DELETE FROM search_postings \
            WHERE endpoint_id IN (SELECT CAST(jsonb_array_elements_text(CAST($1 AS jsonb)) AS BIGINT))",
        sqlite: "DELETE FROM search_postings WHERE endpoint_id IN (SELECT value FROM json_each($1))",
    };
    let conn = tx.held();
    let sql = SQL.pick(&conn);
    affected!(conn, sqlx::query(sql).bind(crate::json(ids)))?;
    Ok(())
}

/// Takes these endpoints out of the counts, before their postings are gone.
async fn uncount(tx: &mut Tx, ids: &[EndpointId]) -> Result<()> {
    const WORDS: Sql = Sql {
        postgres: "UPDATE search_terms SET documents = documents - gone.n \
            FROM (SELECT term_id, COUNT(*) AS n FROM search_postings \
                  WHERE endpoint_id IN (SELECT CAST(jsonb_array_elements_text(CAST($1 AS jsonb)) AS BIGINT)) \
                  GROUP BY term_id) AS gone WHERE id = gone.term_id",
        sqlite: "UPDATE search_terms SET documents = documents - gone.n \
            FROM (SELECT term_id, COUNT(*) AS n FROM search_postings \
                  WHERE endpoint_id IN (SELECT value FROM json_each($1)) GROUP BY term_id) AS gone \
            WHERE id = gone.term_id",
    };
    const ALL: Sql = Sql {
        postgres: "UPDATE search_terms SET documents = documents - \
            (SELECT COUNT(DISTINCT endpoint_id) FROM search_postings \
             WHERE endpoint_id IN (SELECT CAST(jsonb_array_elements_text(CAST($1 AS jsonb)) AS BIGINT))) \
            WHERE term = ''",
        sqlite: "UPDATE search_terms SET documents = documents - (SELECT COUNT(DISTINCT endpoint_id) \
            FROM search_postings WHERE endpoint_id IN (SELECT value FROM json_each($1))) WHERE term = ''",
    };
    for sql in [WORDS, ALL] {
        let conn = tx.held();
        let sql = sql.pick(&conn);
        affected!(conn, sqlx::query(sql).bind(crate::json(ids)))?;
    }
    Ok(())
}

/// Drops the words that nobody uses any more. A change only counts them down: whoever publishes anew mostly brings
/// them back. Gives how many were dropped.
pub async fn prune(tx: &mut Tx) -> Result<u64> {
    const SQL: &str = "DELETE FROM search_terms WHERE documents <= 0 AND term <> ''";
    lock(tx).await?;
    affected!(tx.held(), sqlx::query(SQL))
}

/// Adds these numbers to the counts of these words, making those that are new.
async fn add_terms(tx: &mut Tx, counts: &BTreeMap<String, i64>) -> Result<()> {
    // An update finds rows with less work than an insert that runs into them, and most words are there already.
    const POSTGRES: &str = "WITH given AS (SELECT * FROM UNNEST($1, $2, $3) AS given (t, r, n)), \
        counted AS (UPDATE search_terms SET documents = search_terms.documents + given.n FROM given \
                    WHERE search_terms.term = given.t RETURNING search_terms.term) \
        INSERT INTO search_terms (term, reversed, documents) SELECT t, r, n FROM given \
        WHERE t NOT IN (SELECT term FROM counted) \
        ON CONFLICT (term) DO UPDATE SET documents = search_terms.documents + excluded.documents";
    // `WHERE TRUE` tells SQLite's parser that ON CONFLICT is no join condition.
    const SQLITE: &str = "INSERT INTO search_terms (term, reversed, documents) SELECT json_extract(value, '$.t'), \
        json_extract(value, '$.r'), json_extract(value, '$.n') FROM json_each($1) WHERE TRUE \
        ON CONFLICT (term) DO UPDATE SET documents = search_terms.documents + excluded.documents";
    let backwards = |term: &str| term.chars().rev().collect::<String>();
    match tx {
        _ if counts.is_empty() => {}
        Tx::Postgres(c) => {
            let terms: Vec<&str> = counts.keys().map(String::as_str).collect();
            let reversed: Vec<String> = counts.keys().map(|term| backwards(term)).collect();
            let numbers: Vec<i64> = counts.values().copied().collect();
            sqlx::query(POSTGRES).bind(terms).bind(reversed).bind(numbers).execute(&mut **c).await?;
        }
        Tx::Sqlite(c) => {
            let given: Vec<Value> =
                counts.iter().map(|(term, n)| json!({"t": term, "r": backwards(term), "n": n})).collect();
            sqlx::query(SQLITE).bind(crate::json(&given)).execute(&mut **c).await?;
        }
    }
    Ok(())
}

async fn fill(tx: &mut Tx, documents: &BTreeMap<&EndpointId, &BTreeMap<String, i64>>) -> Result<()> {
    const POSTGRES: &str = "INSERT INTO search_postings (endpoint_id, term_id, weight) SELECT given.e, t.id, given.w \
        FROM UNNEST($1, $2, $3) AS given (e, t, w) JOIN search_terms t ON t.term = given.t";
    const SQLITE: &str = "INSERT INTO search_postings (endpoint_id, term_id, weight) \
        SELECT json_extract(value, '$.e'), t.id, json_extract(value, '$.w') \
        FROM json_each($1) JOIN search_terms t ON t.term = json_extract(value, '$.t')";
    let rows: Vec<(i64, &str, i64)> = documents
        .iter()
        .flat_map(|(id, words)| words.iter().map(|(term, weight)| (id.0, term.as_str(), *weight)))
        .collect();
    match tx {
        _ if rows.is_empty() => {}
        Tx::Postgres(c) => {
            let ids: Vec<i64> = rows.iter().map(|(id, ..)| *id).collect();
            let terms: Vec<&str> = rows.iter().map(|(_, term, _)| *term).collect();
            let weights: Vec<i64> = rows.iter().map(|(.., weight)| *weight).collect();
            sqlx::query(POSTGRES).bind(ids).bind(terms).bind(weights).execute(&mut **c).await?;
        }
        Tx::Sqlite(c) => {
            let rows: Vec<Value> =
                rows.iter().map(|(id, term, weight)| json!({"e": id, "t": term, "w": weight})).collect();
            sqlx::query(SQLITE).bind(crate::json(&rows)).execute(&mut **c).await?;
        }
    }
    Ok(())
}
