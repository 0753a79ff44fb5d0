//! Clients that are stored: those that registered themselves (RFC 7591) and those of the operator.

use std::time::Duration;

use serde_json::Value;
use syfthub_domain::{Timestamp, UserId};

use super::grants;
use crate::column::{SqlTime, row};
use crate::db::{affected, on};
use crate::{Reads, Result, Tx};

/// Two clients never share an id.
pub const UNIQUE: &str = "oauth_clients_client_id_key";
/// A registered client that nobody used for so long ends.
pub const UNUSED_LIFE: Duration = Duration::from_hours(24 * 90);
/// A client's last use is written at most this often.
pub(super) const TOUCH_EVERY: Duration = Duration::from_hours(24);

row! {
    /// A row of `oauth_clients`.
    #[derive(Debug, Clone, PartialEq)]
    pub struct ClientRow {
        /// What the client calls itself towards us.
        pub client_id: String,
        /// `registered` or `static`.
        pub kind: String,
        /// The metadata of RFC 7591.
        pub metadata: Value,
        /// SHA-256 of the secret, hex.
        pub secret_hash: Option<String>,
        /// SHA-256 of the registration access token, hex.
        pub registration_token_hash: Option<String>,
        /// Time of registration.
        pub created_at: Timestamp,
        /// Time of the last change of the metadata.
        pub updated_at: Timestamp,
        /// Last use, to the day.
        pub last_used_at: Timestamp,
        /// When it ends unless it is used before; never for those of the operator.
        pub expires_at: Option<Timestamp>,
        /// The account that it acts as with its own credentials.
        pub user_id: Option<UserId>,
        /// The username of that account.
        pub acts_as: Option<String>,
    }
}

/// A client to be stored.
#[derive(Debug, Clone)]
pub struct NewClient {
    /// What the client calls itself towards us.
    pub client_id: String,
    /// Whether an operator made it; such a client never ends by itself.
    pub is_static: bool,
    /// The metadata of RFC 7591.
    pub metadata: Value,
    /// SHA-256 of the secret, hex.
    pub secret_hash: Option<String>,
    /// SHA-256 of the registration access token, hex.
    pub registration_token_hash: Option<String>,
    /// The account that it acts as with its own credentials.
    pub user_id: Option<UserId>,
}

macro_rules! columns {
    () => {
        "client_id, kind, metadata, secret_hash, registration_token_hash, created_at, updated_at, last_used_at, \
         expires_at, user_id, (SELECT u.username FROM users u WHERE u.id = oauth_clients.user_id) AS acts_as"
    };
}

/// Stores a client; [`UNIQUE`] refuses an id that is taken.
pub async fn insert(tx: &mut Tx, new: &NewClient, now: Timestamp) -> Result<ClientRow> {
    const SQL: &str = concat!(
        "INSERT INTO oauth_clients (client_id, kind, metadata, secret_hash, registration_token_hash, created_at, \
         updated_at, last_used_at, expires_at, user_id) VALUES ($1, $2, $3, $4, $5, $6, $6, $6, $7, $8) RETURNING ",
        columns!()
    );
    let kind = if new.is_static { "static" } else { "registered" };
    let expires_at = (!new.is_static).then(|| SqlTime(now.plus(UNUSED_LIFE)));
    on!(tx.held(), c => sqlx::query_as::<_, ClientRow>(SQL)
        .bind(&new.client_id)
        .bind(kind)
        .bind(new.metadata.to_string())
        .bind(new.secret_hash.as_deref())
        .bind(new.registration_token_hash.as_deref())
        .bind(SqlTime(now))
        .bind(expires_at)
        .bind(new.user_id.map(|id| id.0))
        .fetch_one(c))
}

/// The client of this id, unless it has ended.
pub async fn find(from: impl Reads, client_id: &str, now: Timestamp) -> Result<Option<ClientRow>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM oauth_clients WHERE client_id = $1 AND (expires_at IS NULL OR expires_at > $2)"
    );
    on!(from.source().conn().await?, c => sqlx::query_as::<_, ClientRow>(SQL)
        .bind(client_id)
        .bind(SqlTime(now))
        .fetch_optional(c))
}

/// Clients that have not ended, newest first, after the one of id `after`; of one kind, or of both.
pub async fn list(
    from: impl Reads,
    kind: Option<&str>,
    after: Option<&str>,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<ClientRow>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM oauth_clients WHERE (expires_at IS NULL OR expires_at > $1) AND ($2 = '' OR (created_at, client_id) < \
         (SELECT a.created_at, a.client_id FROM oauth_clients a WHERE a.client_id = $2)) \
         AND ($4 = '' OR kind = $4) ORDER BY created_at DESC, client_id DESC LIMIT $3"
    );
    on!(from.source().conn().await?, c => sqlx::query_as::<_, ClientRow>(SQL)
        .bind(SqlTime(now))
        .bind(after.unwrap_or_default())
        .bind(i64::from(limit))
        .bind(kind.unwrap_or_default())
        .fetch_all(c))
}

/// Replaces the metadata, and the secret if there is another one. That the client manages itself is a use. `None` when
/// there is no such client.
pub async fn update(
    tx: &mut Tx,
    client_id: &str,
    metadata: &Value,
    secret_hash: Option<&str>,
    now: Timestamp,
) -> Result<Option<ClientRow>> {
    const SQL: &str = concat!(
        "UPDATE oauth_clients SET metadata = $2, secret_hash = COALESCE($3, secret_hash), updated_at = $4, \
         last_used_at = $4, expires_at = CASE kind WHEN 'registered' THEN $5 ELSE expires_at END \
         WHERE client_id = $1 AND (expires_at IS NULL OR expires_at > $4) RETURNING ",
        columns!()
    );
    on!(tx.held(), c => sqlx::query_as::<_, ClientRow>(SQL)
        .bind(client_id)
        .bind(metadata.to_string())
        .bind(secret_hash)
        .bind(SqlTime(now))
        .bind(SqlTime(now.plus(UNUSED_LIFE)))
        .fetch_optional(c))
}

/// Gives a client of the operator another secret. `None` when there is no such client.
pub async fn set_secret(
    tx: &mut Tx,
    client_id: &str,
    secret_hash: &str,
    now: Timestamp,
) -> Result<Option<ClientRow>> {
    const SQL: &str = concat!(
        "UPDATE oauth_clients SET secret_hash = $2, updated_at = $3 WHERE client_id = $1 AND kind = 'static' RETURNING ",
        columns!()
    );
    on!(tx.held(), c => sqlx::query_as::<_, ClientRow>(SQL)
        .bind(client_id)
        .bind(secret_hash)
        .bind(SqlTime(now))
        .fetch_optional(c))
}

/// Records a use, at most once a day: a registered client lives on. Clients that are not stored are no error.
pub async fn touch(tx: &mut Tx, client_id: &str, now: Timestamp) -> Result<()> {
    const SQL: &str = "UPDATE oauth_clients SET last_used_at = $2, \
        expires_at = CASE kind WHEN 'registered' THEN $3 ELSE expires_at END \
        WHERE client_id = $1 AND last_used_at <= $4";
    affected!(
        tx.held(),
        sqlx::query(SQL)
            .bind(client_id)
            .bind(SqlTime(now))
            .bind(SqlTime(now.plus(UNUSED_LIFE)))
            .bind(SqlTime(now.minus(TOUCH_EVERY)))
    )?;
    Ok(())
}

/// Takes a client away with what users agreed to, and ends its grants. Gives whether there was one.
pub async fn delete(tx: &mut Tx, client_id: &str, now: Timestamp) -> Result<bool> {
    const CLIENT: &str = "DELETE FROM oauth_clients WHERE client_id = $1";
    const CONSENTS: &str = "DELETE FROM oauth_consents WHERE client_id = $1";
    const DEVICES: &str = "DELETE FROM oauth_devices WHERE client_id = $1";
    let rows = affected!(tx.held(), sqlx::query(CLIENT).bind(client_id))?;
    if rows == 0 {
        return Ok(false);
    }
    for sql in [CONSENTS, DEVICES] {
        affected!(tx.held(), sqlx::query(sql).bind(client_id))?;
    }
    grants::revoke_client(tx, client_id, now).await?;
    Ok(true)
}
