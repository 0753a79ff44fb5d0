//! Refresh tokens of grants: each exchange consumes one and gives its successor.

use syfthub_domain::Timestamp;

use super::grants::{self, ACCESS_LIFE, GrantRow, columns};
use super::{Exchange, Issued, NewRefreshToken, clients};
use crate::column::{SqlTime, row};
use crate::db::{Sql, affected, on};
use crate::refresh::GRACE;
use crate::{Reads, Result, Tx};

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
    /// A token with its grant, and when its client was used last, if that one is stored.
    #[derive(Debug)]
    struct Held {
        token_expires_at: Timestamp,
        token_consumed_at: Option<Timestamp>,
        client_last_used_at: Option<Timestamp>,
    }
    flatten {
        grant: GrantRow,
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

macro_rules! hold {
    ($lock:literal) => {
        concat!(
            "SELECT ",
            columns!("g."),
            ", t.expires_at AS token_expires_at, t.consumed_at AS token_consumed_at, \
             c.last_used_at AS client_last_used_at FROM oauth_grants g \
             JOIN oauth_refresh_tokens t ON t.grant_id = g.id \
             LEFT JOIN oauth_clients c ON c.client_id = g.client_id WHERE t.token_hash = $1",
            $lock
        )
    };
}

/// Reads a token and its grant as they are once no other change holds them, and holds them. One statement, because
/// every refresh of every client waits for it.
async fn hold(tx: &mut Tx, hash: &str) -> Result<Option<Held>> {
    // SQLite has one writer anyway.
    const SQL: Sql = Sql { postgres: hold!(" FOR UPDATE OF g, t"), sqlite: hold!("") };
    let conn = tx.held();
    let sql = SQL.pick(&conn);
    on!(conn, c => sqlx::query_as::<_, Held>(sql).bind(hash).fetch_optional(c))
}

row! {
    /// A refresh token that was not exchanged yet.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct OpenToken {
        /// Its grant.
        pub grant_id: String,
        /// When it was issued.
        pub created_at: Timestamp,
        /// When it ends.
        pub expires_at: Timestamp,
    }
}

/// A token of this client that was neither exchanged nor is too old; whether its grant is live is not asked.
pub async fn find_open(
    from: impl Reads,
    hash: &str,
    client_id: &str,
    now: Timestamp,
) -> Result<Option<OpenToken>> {
    const SQL: &str = "SELECT t.grant_id, t.created_at, t.expires_at FROM oauth_refresh_tokens t \
        JOIN oauth_grants g ON g.id = t.grant_id \
        WHERE t.token_hash = $1 AND g.client_id = $2 AND t.consumed_at IS NULL AND t.expires_at > $3";
    on!(from.source().conn().await?, c => sqlx::query_as::<_, OpenToken>(SQL)
        .bind(hash)
        .bind(client_id)
        .bind(SqlTime(now))
        .fetch_optional(c))
}

/// The grant of a refresh token, held.
pub async fn hold_grant(tx: &mut Tx, hash: &str) -> Result<Option<GrantRow>> {
    Ok(hold(tx, hash).await?.map(|held| held.grant))
}

/// Exchanges a refresh token. A consumed one that comes back within [`GRACE`], before its successor was used, is answered
/// like the first time; later it ends the grant. What does not fit the grant leaves the token as it is.
pub async fn rotate(tx: &mut Tx, presented: &Presented<'_>, now: Timestamp) -> Result<Exchange> {
    const CONSUME: &str =
        "UPDATE oauth_refresh_tokens SET consumed_at = $2 WHERE token_hash = $1 AND consumed_at IS NULL";
    let Some(held) = hold(tx, presented.token_hash).await? else { return Ok(Exchange::Unknown) };
    let Held { token_expires_at, token_consumed_at, client_last_used_at, grant } = held;
    // Who is not even the client must not be able to end the grant.
    if grant.client_id != presented.client_id {
        return Ok(Exchange::Mismatch);
    }
    let user = match grants::standing(tx, &grant, now).await? {
        Ok(user) => user,
        Err(refused) => return Ok(refused),
    };
    if token_expires_at <= now {
        return Ok(Exchange::Expired);
    }
    let reused = match token_consumed_at {
        Some(at) if now.since(at) > GRACE => true,
        // Whoever uses the successor has got it, so nobody can still be waiting for it.
        Some(_) => hold(tx, presented.next.hash).await?.is_some_and(|next| next.token_consumed_at.is_some()),
        None => false,
    };
    if reused {
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
    if token_consumed_at.is_none() {
        affected!(tx.held(), sqlx::query(CONSUME).bind(presented.token_hash).bind(SqlTime(now)))?;
    }
    insert(tx, &grant.id, &presented.next, now).await?;
    if client_last_used_at.is_some_and(|at| now.since(at) >= clients::TOUCH_EVERY) {
        clients::touch(tx, &grant.client_id, now).await?;
    }
    let ends = presented.next.expires_at.max(now.plus(ACCESS_LIFE));
    let Some(grant) = grants::extend(tx, &grant.id, ends, None, now).await? else {
        return Ok(Exchange::Unknown);
    };
    let scopes = if presented.scopes.is_empty() { grant.scopes.clone() } else { presented.scopes.to_vec() };
    Ok(Exchange::Issued(Box::new(Issued { grant, user, scopes, nonce: None })))
}
