//! The search index: cutting texts into words, keeping the index in step, and what a search asks about words.
//!
//! Words are cut, folded, stemmed and weighed here, so that both databases hold exactly the same index; ranking
//! is the caller's. Only public endpoints are indexed: a correction must never reveal a word of a private one.

mod index;
mod postings;
mod text;
mod weight;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::column::row;
use crate::db::{Conn, Sql, on};
use crate::{Reads, Result};

pub use index::{build_if_missing, is_built, prune, rebuild};
pub(crate) use index::{lock, reindex, reindex_owner, remove, remove_owner};
#[cfg(test)]
pub(crate) use postings::PLANS;
pub use postings::{Fact, Posting, ReadOf, facts, postings, weights};
pub(crate) use text::like_pattern;
use text::within;
pub use text::{distance, fold, words};
pub use weight::{Document, FULL_WEIGHT, weigh};

/// Terms that are compared with a mistyped word, from each of its ends; the most frequent ones come first.
const MAX_COMPARED: i64 = 1_000;
/// Sorts after every letter.
const LAST: char = '\u{10FFFF}';

row! {
    /// A word of the index.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Term {
        /// Row id, for [`postings`].
        pub id: i64,
        /// The word as [`words`] gives it.
        pub term: String,
        /// How many public endpoints hold it.
        pub documents: i64,
    }
}

/// How many endpoints are indexed.
pub async fn document_count(from: impl Reads) -> Result<i64> {
    let found = terms(from, &[index::EVERY_DOCUMENT.to_owned()]).await?;
    Ok(found.values().next().map_or(0, |term| term.documents))
}

/// Those of these words that occur anywhere, by word. The empty word stands for all endpoints.
pub async fn terms(from: impl Reads, words: &[String]) -> Result<BTreeMap<String, Term>> {
    const SQL: Sql = Sql {
        postgres: "SELECT id, term, documents FROM search_terms \
             WHERE term IN (SELECT jsonb_array_elements_text(CAST($1 AS jsonb))) AND documents > 0",
        sqlite: "SELECT id, term, documents FROM search_terms \
             WHERE term IN (SELECT value FROM json_each($1)) AND documents > 0",
    };
    let conn = from.source().conn().await?;
    let sql = SQL.pick(&conn);
    let found = on!(conn, c => sqlx::query_as::<_, Term>(sql).bind(crate::json(words)).fetch_all(c))?;
    Ok(found.into_iter().map(|term| (term.term.clone(), term)).collect())
}

/// Longer words of the index that begin with each of `words`, each with the word that it begins with; for each most
/// frequent first, then alphabetical, at most `limit`.
pub async fn terms_beginning_with(
    from: impl Reads,
    words: &[&str],
    limit: u32,
) -> Result<Vec<(String, Term)>> {
    const POSTGRES: &str = "SELECT given.w, found.id, found.term, found.documents \
        FROM jsonb_to_recordset(CAST($1 AS jsonb)) AS given (w TEXT, until TEXT) CROSS JOIN LATERAL (\
        SELECT id, term, documents FROM search_terms WHERE term > given.w AND term < given.until AND documents > 0 \
        ORDER BY documents DESC, term LIMIT $2) AS found";
    const SQLITE: &str = "SELECT $1, id, term, documents FROM search_terms WHERE term > $1 AND term < $2 AND documents > 0 \
        ORDER BY documents DESC, term LIMIT $3";
    type Row = (String, i64, String, i64);
    let until = |word: &str| format!("{word}{LAST}");
    let rows: Vec<Row> = match from.source().conn().await? {
        Conn::Postgres(mut c) => {
            let given: Vec<Value> =
                words.iter().map(|word| json!({"w": word, "until": until(word)})).collect();
            sqlx::query_as(POSTGRES)
                .bind(crate::json(&given))
                .bind(i64::from(limit))
                .fetch_all(&mut *c)
                .await?
        }
        // A statement per word: SQLite has no lateral join, and a call into it costs little.
        Conn::Sqlite(mut c) => {
            let mut rows = Vec::new();
            for word in words {
                let query =
                    sqlx::query_as::<_, Row>(SQLITE).bind(*word).bind(until(word)).bind(i64::from(limit));
                rows.extend(query.fetch_all(&mut *c).await?);
            }
            rows
        }
    };
    Ok(rows.into_iter().map(|(word, id, term, documents)| (word, Term { id, term, documents })).collect())
}

/// Words of the index that may have been meant by `word`: one slip away, or two for words of six letters and
/// more; nearest first, then most frequent, then alphabetical. None for words of up to three letters.
pub async fn similar_terms(from: impl Reads, word: &str) -> Result<Vec<Term>> {
    // One slip leaves the word's beginning or its end, and an index finds both.
    const SQL: &str = "SELECT id, term, documents FROM (SELECT id, term, documents FROM search_terms \
        WHERE term >= $1 AND term < $2 AND documents > 0 AND length(term) BETWEEN $5 AND $6 ORDER BY documents DESC, term LIMIT $7) AS a \
        UNION SELECT id, term, documents FROM (SELECT id, term, documents FROM search_terms \
        WHERE reversed >= $3 AND reversed < $4 AND documents > 0 AND length(term) BETWEEN $5 AND $6 ORDER BY documents DESC, term LIMIT $7) AS b";
    let letters: Vec<char> = word.chars().collect();
    if letters.len() <= 3 {
        return Ok(Vec::new());
    }
    let part = (letters.len() - 1) / 2;
    let head: String = letters[..part].iter().collect();
    let tail: String = letters.iter().rev().take(part).collect();
    let slips: u8 = if letters.len() >= 6 { 2 } else { 1 };
    let length = i64::try_from(letters.len()).unwrap_or(i64::MAX);
    let compared = on!(from.source().conn().await?, c => sqlx::query_as::<_, Term>(SQL)
        .bind(&head)
        .bind(format!("{head}{LAST}"))
        .bind(&tail)
        .bind(format!("{tail}{LAST}"))
        .bind(length - i64::from(slips))
        .bind(length.saturating_add(slips.into()))
        .bind(MAX_COMPARED)
        .fetch_all(c))?;
    let mut near: Vec<(usize, Term)> = compared
        .into_iter()
        .filter_map(|term| Some((within(word, &term.term, slips.into())?, term)))
        .filter(|(slip, _)| *slip > 0)
        .collect();
    near.sort_by(|(a, x), (b, y)| a.cmp(b).then(y.documents.cmp(&x.documents)).then(x.term.cmp(&y.term)));
    Ok(near.into_iter().map(|(_, term)| term).collect())
}
