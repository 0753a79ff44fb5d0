//! Stars. Row and counter change together, so that the counter never drifts.

use syfthub_domain::{EndpointId, Timestamp, UserId};

use crate::column::SqlTime;
use crate::db::{affected, on};
use crate::{Reads, Result, Tx};

/// Gives a star. `false` when the user had given one already, or there is no such endpoint.
pub async fn star(tx: &mut Tx, user: UserId, endpoint: EndpointId, now: Timestamp) -> Result<bool> {
    const ADD: &str = "INSERT INTO endpoint_stars (endpoint_id, user_id, starred_at) \
        SELECT id, $2, $3 FROM endpoints WHERE id = $1 ON CONFLICT (endpoint_id, user_id) DO NOTHING";
    const COUNT: &str = "UPDATE endpoints SET stars_count = stars_count + 1 WHERE id = $1";
    let added = affected!(tx.held(), sqlx::query(ADD).bind(endpoint.0).bind(user.0).bind(SqlTime(now)))? == 1;
    if added {
        affected!(tx.held(), sqlx::query(COUNT).bind(endpoint.0))?;
    }
    Ok(added)
}

/// Takes a star back. `false` when there was none.
pub async fn unstar(tx: &mut Tx, user: UserId, endpoint: EndpointId) -> Result<bool> {
    const REMOVE: &str = "DELETE FROM endpoint_stars WHERE endpoint_id = $1 AND user_id = $2";
    // An admin may have set the counter lower than the number of rows.
    const COUNT: &str =
        "UPDATE endpoints SET stars_count = stars_count - 1 WHERE id = $1 AND stars_count > 0";
    let removed = affected!(tx.held(), sqlx::query(REMOVE).bind(endpoint.0).bind(user.0))? == 1;
    if removed {
        affected!(tx.held(), sqlx::query(COUNT).bind(endpoint.0))?;
    }
    Ok(removed)
}

/// Whether the user has given a star.
pub async fn is_starred(from: impl Reads, user: UserId, endpoint: EndpointId) -> Result<bool> {
    const SQL: &str = "SELECT COUNT(*) FROM endpoint_stars WHERE endpoint_id = $1 AND user_id = $2";
    let count = on!(from.source().conn().await?, c => sqlx::query_scalar::<_, i64>(SQL)
        .bind(endpoint.0).bind(user.0).fetch_one(c))?;
    Ok(count > 0)
}
