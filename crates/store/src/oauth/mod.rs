//! The durable state of the OAuth 2.1 authorization server. Client secrets, codes and refresh tokens come here as
//! SHA-256 in hex; nothing that is stored can be presented.
//!
//! Codes and refresh tokens are exchanged under a lock on their grant's row, so that a revocation and an exchange, or
//! two exchanges, cannot pass each other.

pub mod clients;
pub mod codes;
pub mod consents;
pub mod devices;
pub mod grants;
pub mod refresh_tokens;

use std::time::Duration;

use syfthub_domain::Timestamp;

use crate::column::SqlTime;
use crate::db::affected;
use crate::refresh::PURGE_BATCH;
use crate::users::UserRow;
use crate::{Result, Tx};

use grants::GrantRow;

/// How long used codes and ended grants are kept, so that a second use is recognised.
const KEPT: Duration = Duration::from_hours(24);
/// A consent that was not given again for so long is asked for again.
const CONSENT_LIFE: Duration = Duration::from_hours(24 * 365);

/// What became of a code or a refresh token that was presented.
#[derive(Debug, Clone)]
pub enum Exchange {
    /// Tokens may be issued.
    Issued(Box<Issued>),
    /// Never issued, or gone.
    Unknown,
    /// Its life is over.
    Expired,
    /// It was used before. The grant is revoked now: commit, then refuse.
    Reused(Box<GrantRow>),
    /// Another client, redirect URI, verifier, resource or key.
    Mismatch,
    /// The grant was ended, or the account's epoch or state did it.
    Revoked,
    /// More scopes than were granted.
    ScopeExceeded,
}

/// For whom tokens may be issued.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The grant, as it is now.
    pub grant: GrantRow,
    /// Its user; none for a client that acts for itself.
    pub user: Option<UserRow>,
    /// The scopes of this exchange: the grant's or fewer.
    pub scopes: Vec<String>,
    /// OpenID Connect, from the authorization request.
    pub nonce: Option<String>,
}

/// The first refresh token, or the next.
#[derive(Debug, Clone, Copy)]
pub struct NewRefreshToken<'a> {
    /// SHA-256, hex.
    pub hash: &'a str,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Deletes some of what has expired: a batch of each table. Gives how many rows went; while that is not 0 there may be
/// more.
pub async fn purge_expired(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    const CODES: &str = "DELETE FROM oauth_codes WHERE code_hash IN \
        (SELECT code_hash FROM oauth_codes WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
    const TOKENS: &str = "DELETE FROM oauth_refresh_tokens WHERE token_hash IN \
        (SELECT token_hash FROM oauth_refresh_tokens WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
    // What tells that a grant is that of a device stays as long as the grant.
    const DEVICES: &str = "DELETE FROM oauth_devices WHERE device_code_hash IN \
        (SELECT device_code_hash FROM oauth_devices WHERE expires_at <= $1 AND state <> 'issued' \
        ORDER BY expires_at LIMIT $2)";
    // Only those without tokens, so that the cascade of a grant does not make a small batch a large one.
    const GRANTS: &str = "DELETE FROM oauth_grants WHERE id IN (SELECT g.id FROM oauth_grants g \
        WHERE g.expires_at <= $1 AND NOT EXISTS (SELECT 1 FROM oauth_refresh_tokens t WHERE t.grant_id = g.id) \
        ORDER BY g.expires_at LIMIT $2)";
    const CLIENTS: &str = "DELETE FROM oauth_clients WHERE client_id IN \
        (SELECT client_id FROM oauth_clients WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
    const CONSENTS: &str = "DELETE FROM oauth_consents WHERE (user_id, client_id, resource) IN \
        (SELECT user_id, client_id, resource FROM oauth_consents WHERE updated_at <= $1 ORDER BY updated_at LIMIT $2)";
    let mut rows = 0;
    for (sql, end) in [
        (CODES, now.minus(KEPT)),
        (TOKENS, now),
        (DEVICES, now),
        (GRANTS, now.minus(KEPT)),
        (CLIENTS, now),
        (CONSENTS, now.minus(CONSENT_LIFE)),
    ] {
        rows += affected!(tx.held(), sqlx::query(sql).bind(SqlTime(end)).bind(PURGE_BATCH))?;
    }
    Ok(rows)
}
