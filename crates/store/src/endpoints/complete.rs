//! Names that begin as somebody has begun to type them.

use syfthub_domain::UserId;

use super::{listed, tables};
use crate::db::on;
use crate::{Reads, Result};

/// Whose names are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names<'a> {
    /// Of owners.
    Owners,
    /// Of endpoints, of this owner or of everybody.
    Slugs(Option<&'a str>),
}

macro_rules! seen {
    () => {
        concat!(
            "((",
            listed!(),
            ") OR (e.user_id = $2 AND e.is_active = TRUE AND e.admin_disabled = FALSE)) "
        )
    };
}

const OWNERS: &str = concat!(
    "SELECT DISTINCT u.username",
    tables!(),
    "WHERE u.username LIKE $1 ESCAPE '\\' AND CAST($3 AS TEXT) IS NULL AND ",
    seen!(),
    "ORDER BY u.username LIMIT $4"
);
const SLUGS: &str = concat!(
    "SELECT DISTINCT e.slug",
    tables!(),
    "WHERE e.slug LIKE $1 ESCAPE '\\' AND (CAST($3 AS TEXT) IS NULL OR u.username = $3) AND ",
    seen!(),
    "ORDER BY e.slug LIMIT $4"
);

/// Names that begin with `prefix` (lower case), in alphabetical order, of what is listed or is the viewer's own.
pub async fn complete(
    from: impl Reads,
    names: Names<'_>,
    prefix: &str,
    viewer: Option<UserId>,
    limit: u32,
) -> Result<Vec<String>> {
    let (sql, owner) = match names {
        Names::Owners => (OWNERS, None),
        Names::Slugs(owner) => (SLUGS, owner),
    };
    on!(from.source().conn().await?, c => sqlx::query_scalar::<_, String>(sql)
        .bind(beginning(prefix))
        .bind(viewer.map(|id| id.0))
        .bind(owner)
        .bind(i64::from(limit))
        .fetch_all(c))
}

/// The pattern of texts that begin so.
fn beginning(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len() + 1);
    for c in prefix.chars().filter(|c| *c != '\0') {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}
