//! Keeping the index in step with the endpoints, in the transaction of each change.

use std::collections::BTreeSet;

use syfthub_domain::{EndpointId, Tag, UserId, Visibility};

use super::text::{fold, words};
use crate::column::row;
use crate::db::{Sql, affected, on};
use crate::{Result, Tx};

/// Words of one endpoint that are indexed; a text that is longer is found by its beginning.
const MAX_WORDS: usize = 8_000;

row! {
    /// What is indexed of an endpoint.
    #[derive(Debug)]
    struct Source {
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

    fn words(&self) -> Vec<String> {
        let mut found = words(&self.name);
        for text in [&self.slug, &self.owner_username, &self.description] {
            found.extend(words(text));
        }
        found.extend(self.tags.iter().flat_map(|tag| words(tag.as_str())));
        found.extend(words(&self.readme));
        found.truncate(MAX_WORDS);
        found
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

/// Brings the index in step with an endpoint after it was inserted or changed.
pub(crate) async fn reindex(tx: &mut Tx, id: EndpointId) -> Result<()> {
    const SOURCE: &str = "SELECT e.visibility, e.slug, e.name, e.description, e.readme, \
        COALESCE((SELECT string_agg(t.tag, ',' ORDER BY t.position) FROM endpoint_tags t \
                  WHERE t.endpoint_id = e.id), '') AS tags, u.username AS owner_username \
        FROM endpoints e JOIN users u ON u.id = e.user_id WHERE e.id = $1";
    const LISTING: &str = "UPDATE endpoints SET listing_text = $2 WHERE id = $1";
    let source = on!(tx.held(), c => sqlx::query_as::<_, Source>(SOURCE).bind(id.0).fetch_optional(c))?;
    let Some(source) = source else {
        return Ok(());
    };
    affected!(tx.held(), sqlx::query(LISTING).bind(id.0).bind(source.listing_text()))?;
    if source.visibility == Visibility::Public {
        replace(tx, id, &source.words()).await
    } else {
        remove(tx, id).await
    }
}

/// The same for every endpoint of an owner, after a new name.
pub(crate) async fn reindex_owner(tx: &mut Tx, owner: UserId) -> Result<()> {
    const IDS: &str = "SELECT id FROM endpoints WHERE user_id = $1 ORDER BY id";
    for id in on!(tx.held(), c => sqlx::query_scalar::<_, i64>(IDS).bind(owner.0).fetch_all(c))? {
        reindex(tx, EndpointId(id)).await?;
    }
    Ok(())
}

/// Builds the whole index anew, for example after rows were edited by hand. Gives how many endpoints
/// were read.
pub async fn rebuild(tx: &mut Tx) -> Result<usize> {
    const IDS: &str = "SELECT id FROM endpoints ORDER BY id";
    lock(tx).await?;
    for sql in ["DELETE FROM search_documents", "DELETE FROM search_terms"] {
        affected!(tx.held(), sqlx::query(sql))?;
    }
    let ids = on!(tx.held(), c => sqlx::query_scalar::<_, i64>(IDS).fetch_all(c))?;
    for id in &ids {
        reindex(tx, EndpointId(*id)).await?;
    }
    Ok(ids.len())
}

/// Takes an endpoint out of the index.
pub(crate) async fn remove(tx: &mut Tx, id: EndpointId) -> Result<()> {
    const SQL: &str = "DELETE FROM search_documents WHERE endpoint_id = $1";
    let old = indexed(tx, id).await?;
    forget(tx, &old).await?;
    affected!(tx.held(), sqlx::query(SQL).bind(id.0))?;
    Ok(())
}

async fn replace(tx: &mut Tx, id: EndpointId, words: &[String]) -> Result<()> {
    const SQL: &str = "INSERT INTO search_documents (endpoint_id, words) VALUES ($1, $2) \
        ON CONFLICT (endpoint_id) DO UPDATE SET words = excluded.words";
    const ADD: Sql = Sql {
        postgres: "INSERT INTO search_terms (term, head, length, documents) \
             SELECT given.term, substr(given.term, 1, 1), length(given.term), 1 \
             FROM jsonb_array_elements_text(CAST($1 AS jsonb)) AS given (term) \
             ON CONFLICT (term) DO UPDATE SET documents = search_terms.documents + 1",
        // `WHERE TRUE` tells SQLite's parser that ON CONFLICT is no join condition.
        sqlite: "INSERT INTO search_terms (term, head, length, documents) \
             SELECT value, substr(value, 1, 1), length(value), 1 FROM json_each($1) WHERE TRUE \
             ON CONFLICT (term) DO UPDATE SET documents = search_terms.documents + 1",
    };
    let old = indexed(tx, id).await?;
    let new: BTreeSet<String> = words.iter().cloned().collect();
    forget(tx, &old.difference(&new).cloned().collect()).await?;
    let added: Vec<&String> = new.difference(&old).collect();
    let conn = tx.held();
    let sql = ADD.pick(&conn);
    affected!(conn, sqlx::query(sql).bind(crate::json(&added)))?;
    affected!(tx.held(), sqlx::query(SQL).bind(id.0).bind(words.join(" ")))?;
    Ok(())
}

async fn indexed(tx: &mut Tx, id: EndpointId) -> Result<BTreeSet<String>> {
    const SQL: &str = "SELECT words FROM search_documents WHERE endpoint_id = $1";
    let words = on!(tx.held(), c => sqlx::query_scalar::<_, String>(SQL).bind(id.0).fetch_optional(c))?;
    Ok(words.unwrap_or_default().split_whitespace().map(str::to_owned).collect())
}

async fn forget(tx: &mut Tx, terms: &BTreeSet<String>) -> Result<()> {
    const COUNT: Sql = Sql {
        postgres: "UPDATE search_terms SET documents = documents - 1 \
             WHERE term IN (SELECT jsonb_array_elements_text(CAST($1 AS jsonb)))",
        sqlite: "UPDATE search_terms SET documents = documents - 1 WHERE term IN (SELECT value FROM json_each($1))",
    };
    const DROP: &str = "DELETE FROM search_terms WHERE documents <= 0";
    if terms.is_empty() {
        return Ok(());
    }
    let conn = tx.held();
    let sql = COUNT.pick(&conn);
    affected!(conn, sqlx::query(sql).bind(crate::json(terms)))?;
    affected!(tx.held(), sqlx::query(DROP))?;
    Ok(())
}
