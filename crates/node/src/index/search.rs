//! Finding passages for a question.

use std::collections::{HashMap, HashSet};

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::score::{Scored, Scorer};
use super::{Index, query, sql};
use crate::text;

/// Candidates that FTS5 ranks and Rust scores.
const CANDIDATES: i64 = 300;
/// A longer question is cut.
const MAX_QUESTION: usize = 4_000;

/// How much is wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SearchLimits {
    /// At most this many passages.
    pub(crate) limit: usize,
    /// Only passages with at least this score, 0 to 1.
    pub(crate) threshold: f64,
}

/// A passage that fits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    pub(crate) path: String,
    pub(crate) title: String,
    pub(crate) heading: String,
    pub(crate) line_start: i64,
    pub(crate) line_end: i64,
    pub(crate) content: String,
    /// 0 to 1, see the `score` module.
    pub(crate) score: f64,
}

impl Index {
    /// The best passages for a question, best first; equal scores are ordered by path and line.
    pub(crate) async fn search(
        &self,
        question: &str,
        limits: SearchLimits,
    ) -> Result<Vec<Found>, sqlx::Error> {
        let terms = text::terms(text::clip(question, MAX_QUESTION));
        if terms.is_empty() || limits.limit == 0 {
            return Ok(Vec::new());
        }
        let mut connection = self.read.acquire().await?;
        let total: i64 = sqlx::query_scalar(sql::COUNT_PASSAGES).fetch_one(&mut *connection).await?;
        let mut matches = Vec::with_capacity(terms.len());
        for term in &terms {
            let count = sqlx::query_scalar(sql::COUNT_MATCHES).bind(query::one(term));
            matches.push(count.fetch_one(&mut *connection).await?);
        }
        let rows = sqlx::query(sql::CANDIDATES)
            .bind(query::any(&terms))
            .bind(CANDIDATES)
            .fetch_all(&mut *connection)
            .await?;
        drop(connection);
        let scorer = Scorer::new(&terms, &matches, total);
        // Hundreds of passages are cut into words and stemmed: milliseconds that others would wait for.
        tokio::task::spawn_blocking(move || best(&rows, &scorer, limits))
            .await
            .map_err(|_| sqlx::Error::WorkerCrashed)?
    }
}

/// Scores the candidates and keeps the best.
fn best(rows: &[SqliteRow], scorer: &Scorer, limits: SearchLimits) -> Result<Vec<Found>, sqlx::Error> {
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let mut candidate = Found {
            path: row.try_get("path")?,
            title: row.try_get("title")?,
            heading: row.try_get("heading")?,
            line_start: row.try_get("line_start")?,
            line_end: row.try_get("line_end")?,
            content: row.try_get("content")?,
            score: 0.0,
        };
        candidate.score = scorer.score(&Scored {
            path: &candidate.path,
            title: &candidate.title,
            heading: &candidate.heading,
            content: &candidate.content,
            line: candidate.line_start,
        });
        if candidate.score > 0.0 && candidate.score >= limits.threshold {
            found.push(candidate);
        }
    }
    found.sort_by(|a, b| {
        b.score.total_cmp(&a.score).then_with(|| (&a.path, a.line_start).cmp(&(&b.path, b.line_start)))
    });
    Ok(diversify(found, limits.limit))
}

/// At most two passages of one document (three when many are wanted), and no text twice.
fn diversify(found: Vec<Found>, limit: usize) -> Vec<Found> {
    let per_document = if limit > 10 { 3 } else { 2 };
    let mut taken: HashMap<String, usize> = HashMap::new();
    let mut texts: HashSet<String> = HashSet::new();
    let mut chosen = Vec::with_capacity(limit.min(found.len()));
    for candidate in found {
        if chosen.len() == limit {
            break;
        }
        let count = taken.entry(candidate.path.clone()).or_default();
        if *count < per_document && texts.insert(candidate.content.clone()) {
            *count += 1;
            chosen.push(candidate);
        }
    }
    chosen
}
