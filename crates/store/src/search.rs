//! The search index: cutting texts into words, keeping the index in step, and what ranking and correction
//! ask about words. Finding rows is [`crate::endpoints::search_candidates`], ranking is the caller's.
//!
//! Words are cut, folded and stemmed here, so that both databases hold exactly the same words. Only public
//! endpoints are indexed: a correction must never reveal a word of a private one.

mod index;
mod text;

use std::collections::BTreeMap;

use crate::column::row;
use crate::db::{Sql, on};
use crate::{Conn, Db, Reads, Result};

pub use index::rebuild;
pub(crate) use index::{lock, reindex, reindex_owner, remove};
pub(crate) use text::like_pattern;
use text::within;
pub use text::{distance, fold, words};

/// Rows that [`crate::endpoints::search_candidates`] gives at most.
pub(crate) const CANDIDATES: i64 = 300;
/// Words of a query that are looked at.
const MAX_QUERY_WORDS: usize = 32;
/// Terms that are compared with a mistyped word; the most frequent ones come first.
const MAX_COMPARED: i64 = 5_000;
/// Words of one query that [`corrections`] looks up at most: each costs a statement and thousands of comparisons.
pub const MAX_CORRECTED: usize = 4;

row! {
    /// A word of the index.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Term {
        /// The word as [`words`] gives it.
        pub term: String,
        /// How many public endpoints hold it.
        pub documents: i64,
    }
}

/// How many endpoints are indexed.
pub async fn document_count(from: impl Reads) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) FROM search_documents";
    on!(from.source().conn().await?, c => sqlx::query_scalar::<_, i64>(SQL).fetch_one(c))
}

/// In how many endpoints each of these words occurs; words that occur nowhere are left out.
pub async fn term_frequencies(from: impl Reads, words: &[String]) -> Result<BTreeMap<String, i64>> {
    const SQL: Sql = Sql {
        postgres: "SELECT term, documents FROM search_terms \
             WHERE term IN (SELECT jsonb_array_elements_text(CAST($1 AS jsonb)))",
        sqlite: "SELECT term, documents FROM search_terms WHERE term IN (SELECT value FROM json_each($1))",
    };
    let conn = from.source().conn().await?;
    let sql = SQL.pick(&conn);
    let found = on!(conn, c => sqlx::query_as::<_, Term>(sql).bind(crate::json(words)).fetch_all(c))?;
    Ok(found.into_iter().map(|term| (term.term, term.documents)).collect())
}

/// Words of the index that may have been meant by `word`: one slip away, or two for words of six letters and
/// more; nearest first, then most frequent, then alphabetical. The first letter must be right or have
/// changed places with the second.
pub async fn similar_terms(from: impl Reads, word: &str) -> Result<Vec<Term>> {
    const SQL: &str = "SELECT term, documents FROM search_terms WHERE head IN ($1, $2) \
        AND length BETWEEN $3 AND $4 ORDER BY documents DESC, term LIMIT $5";
    let letters: Vec<char> = word.chars().collect();
    let (Some(first), true) = (letters.first(), letters.len() >= 3) else {
        return Ok(Vec::new());
    };
    let second = letters.get(1).unwrap_or(first);
    let slips: u8 = if letters.len() >= 6 { 2 } else { 1 };
    let length = i64::try_from(letters.len()).unwrap_or(i64::MAX);
    let compared = on!(from.source().conn().await?, c => sqlx::query_as::<_, Term>(SQL)
        .bind(first.to_string())
        .bind(second.to_string())
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

/// What [`similar_terms`] gives for each of these words, in their order; only the first [`MAX_CORRECTED`] words
/// are looked up, so that a long query of unknown words does not cost more than a short one.
pub async fn corrections(db: &Db, words: &[String]) -> Result<Vec<(String, Vec<Term>)>> {
    let mut found = Vec::new();
    for word in words.iter().take(MAX_CORRECTED) {
        found.push((word.clone(), similar_terms(db, word).await?));
    }
    Ok(found)
}

/// The query text of each database: any of the words, whole or (from three letters on) as a beginning.
pub(crate) fn query(conn: &Conn<'_>, words: &[String]) -> String {
    let (or, prefix) = match conn {
        Conn::Postgres(_) => (" | ", "'%':*"),
        Conn::Sqlite(_) => (" OR ", "\"%\" *"),
    };
    words
        .iter()
        .filter(|word| !word.is_empty() && word.chars().all(char::is_alphanumeric))
        .take(MAX_QUERY_WORDS)
        .map(|word| {
            let whole = prefix.trim_end_matches([':', '*', ' ']);
            let form = if word.chars().count() >= 3 { prefix } else { whole };
            form.replace('%', word)
        })
        .collect::<Vec<_>>()
        .join(or)
}
