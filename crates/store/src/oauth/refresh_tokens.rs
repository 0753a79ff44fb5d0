//! Refresh tokens of grants: each exchange consumes one and gives its successor.

use syfthub_domain::Timestamp;

use super::grants::{self, ACCESS_LIFE, GrantRow};
use super::{Exchange, Issued, NewRefreshToken, clients};
use crate::column::{SqlTime, row};
use crate::db::{affected, on};
use crate::refresh::GRACE;
use crate::{Result, Tx};

/// A refresh token that is presented, and its successor.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    /// SHA-256, hex.
    pub token_hash: &'a str,
    /// The successor. It follows from the token, so that everybody who presents the same one gets the same.
    pub next: NewRefreshToken<'a>,
    /// Who presents it.
    pub client_id: &'a str,
    /// If the client named one.
    pub resource: Option<&'a str>,
    /// What the client asks for; empty for all that was granted.
    pub scopes: &'a [String],
    /// The key that the client proved.
    pub dpop_jkt: Option<&'a str>,
}

row! {
    #[derive(Debug)]
    struct TokenRow {
        grant_id: String,
        expires_at: Timestamp,
        consumed_at: Option<Timestamp>,
    }
}

/// Stores a token, unless it is stored already.
pub(super) async fn insert(
    tx: &mut Tx,
    grant_id: &str,
    new: &NewRefreshToken<'_>,
    now: Timestamp,
) -> Result<()> {
    const SQL: &str = "INSERT INTO oauth_refresh_tokens (token_hash, grant_id, created_at, expires_at) \
        VALUES ($1, $2, $3, $4) ON CONFLICT (token_hash) DO NOTHING";
    affected!(
        tx.held(),
        sqlx::query(SQL).bind(new.hash).bind(grant_id).bind(SqlTime(now)).bind(SqlTime(new.expires_at))
    )?;
    Ok(())
}

async fn find(tx: &mut Tx, hash: &str) -> Result<Option<TokenRow>> {
    const SQL: &str =
        "SELECT grant_id, expires_at, consumed_at FROM oauth_refresh_tokens WHERE token_hash = $1";
    on!(tx.held(), c => sqlx::query_as::<_, TokenRow>(SQL).bind(hash).fetch_optional(c))
}

/// The grant of a refresh token, held.
pub async fn hold_grant(tx: &mut Tx, hash: &str) -> Result<Option<GrantRow>> {
    match find(tx, hash).await? {
        Some(token) => grants::hold(tx, &token.grant_id).await,
        None => Ok(None),
    }
}

/// Exchanges a refresh token. A consumed one that comes back within [`GRACE`] is answered like the first time, later
/// it ends the grant. What does not fit the grant leaves the token as it is.
pub async fn rotate(tx: &mut Tx, presented: &Presented<'_>, now: Timestamp) -> Result<Exchange> {
    const CONSUME: &str =
        "UPDATE oauth_refresh_tokens SET consumed_at = $2 WHERE token_hash = $1 AND consumed_at IS NULL";
    let Some(grant) = hold_grant(tx, presented.token_hash).await? else { return Ok(Exchange::Unknown) };
    // Again, because another exchange may have come before the lock.
    let Some(token) = find(tx, presented.token_hash).await? else { return Ok(Exchange::Unknown) };
    // Who is not even the client must not be able to end the grant.
    if grant.client_id != presented.client_id {
        return Ok(Exchange::Mismatch);
    }
    let user = match grants::standing(tx, &grant, now).await? {
        Ok(user) => user,
        Err(refused) => return Ok(refused),
    };
    if token.expires_at <= now {
        return Ok(Exchange::Expired);
    }
    if token.consumed_at.is_some_and(|at| now.since(at) > GRACE) {
        grants::revoke(tx, &grant.id, now).await?;
        return Ok(Exchange::Reused(Box::new(grant)));
    }
    let fits = presented.resource.is_none_or(|resource| resource == grant.resource)
        && (grant.dpop_jkt.is_none() || grant.dpop_jkt.as_deref() == presented.dpop_jkt);
    if !fits {
        return Ok(Exchange::Mismatch);
    }
    if !presented.scopes.iter().all(|scope| grant.scopes.contains(scope)) {
        return Ok(Exchange::ScopeExceeded);
    }
    if token.consumed_at.is_none() {
        affected!(tx.held(), sqlx::query(CONSUME).bind(presented.token_hash).bind(SqlTime(now)))?;
    }
    insert(tx, &grant.id, &presented.next, now).await?;
    clients::touch(tx, &grant.client_id, now).await?;
    let ends = presented.next.expires_at.max(now.plus(ACCESS_LIFE));
    let Some(grant) = grants::extend(tx, &grant.id, ends, None, now).await? else {
        return Ok(Exchange::Unknown);
    };
    let scopes = if presented.scopes.is_empty() { grant.scopes.clone() } else { presented.scopes.to_vec() };
    Ok(Exchange::Issued(Box::new(Issued { grant, user, scopes, nonce: None })))
}
