//! What users have agreed to before, so that they need not be asked again.

use syfthub_domain::{Timestamp, UserId};

use crate::column::{SqlTime, row};
use crate::db::{affected, on};
use crate::{Reads, Result, Tx, json};

row! {
    struct Scopes {
        scopes: Vec<String>,
    }
}

/// The scopes that a user agreed to for this client and resource.
pub async fn find(from: impl Reads, user: UserId, client_id: &str, resource: &str) -> Result<Vec<String>> {
    const SQL: &str =
        "SELECT scopes FROM oauth_consents WHERE user_id = $1 AND client_id = $2 AND resource = $3";
    let row = on!(from.source().conn().await?, c => sqlx::query_as::<_, Scopes>(SQL)
        .bind(user.0)
        .bind(client_id)
        .bind(resource)
        .fetch_optional(c))?;
    Ok(row.map(|row| row.scopes).unwrap_or_default())
}

/// Remembers a consent in place of the one before.
pub async fn store(
    tx: &mut Tx,
    user: UserId,
    client_id: &str,
    resource: &str,
    scopes: &[String],
    now: Timestamp,
) -> Result<()> {
    const SQL: &str = "INSERT INTO oauth_consents (user_id, client_id, resource, scopes, created_at, updated_at) \
        VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT (user_id, client_id, resource) \
        DO UPDATE SET scopes = excluded.scopes, updated_at = excluded.updated_at";
    affected!(
        tx.held(),
        sqlx::query(SQL).bind(user.0).bind(client_id).bind(resource).bind(json(scopes)).bind(SqlTime(now))
    )?;
    Ok(())
}

/// Forgets what a user agreed to for a client.
pub async fn forget(tx: &mut Tx, user: UserId, client_id: &str) -> Result<()> {
    const SQL: &str = "DELETE FROM oauth_consents WHERE user_id = $1 AND client_id = $2";
    affected!(tx.held(), sqlx::query(SQL).bind(user.0).bind(client_id))?;
    Ok(())
}

/// Forgets everything that a user agreed to.
pub async fn forget_all(tx: &mut Tx, user: UserId) -> Result<()> {
    const SQL: &str = "DELETE FROM oauth_consents WHERE user_id = $1";
    affected!(tx.held(), sqlx::query(SQL).bind(user.0))?;
    Ok(())
}
