//! Authorization codes: each is exchanged once.

use syfthub_domain::Timestamp;

use super::grants::{self, ACCESS_LIFE};
use super::refresh_tokens;
use super::{Exchange, Issued, NewRefreshToken, clients};
use crate::column::{SqlTime, row};
use crate::db::{affected, on};
use crate::{Result, Tx};

/// An authorization request is answered with one code.
pub const UNIQUE_REQUEST: &str = "oauth_codes_request_id_key";

/// A code to be stored.
#[derive(Debug, Clone)]
pub struct NewCode {
    /// SHA-256, hex.
    pub code_hash: String,
    /// The grant that it stands for.
    pub grant_id: String,
    /// The authorization request.
    pub request_id: String,
    /// Where it is sent.
    pub redirect_uri: String,
    /// RFC 7636, S256.
    pub code_challenge: String,
    /// OpenID Connect.
    pub nonce: Option<String>,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A code that is presented.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    /// SHA-256, hex.
    pub code_hash: &'a str,
    /// Who presents it.
    pub client_id: &'a str,
    /// Where it was sent.
    pub redirect_uri: &'a str,
    /// Computed from the verifier.
    pub code_challenge: &'a str,
    /// If the client named one.
    pub resource: Option<&'a str>,
    /// The key that the client proved.
    pub dpop_jkt: Option<&'a str>,
    /// Whether later exchanges may prove another key, or none.
    pub any_key_later: bool,
    /// The first refresh token, if there is to be one.
    pub refresh: Option<NewRefreshToken<'a>>,
}

row! {
    #[derive(Debug)]
    struct CodeRow {
        grant_id: String,
        redirect_uri: String,
        code_challenge: String,
        nonce: Option<String>,
        expires_at: Timestamp,
        used_at: Option<Timestamp>,
    }
}

/// Stores a code; [`UNIQUE_REQUEST`] refuses a second one for the same request.
pub async fn insert(tx: &mut Tx, new: &NewCode, now: Timestamp) -> Result<()> {
    const SQL: &str = "INSERT INTO oauth_codes (code_hash, grant_id, request_id, redirect_uri, code_challenge, nonce, \
        created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    affected!(
        tx.held(),
        sqlx::query(SQL)
            .bind(&new.code_hash)
            .bind(&new.grant_id)
            .bind(&new.request_id)
            .bind(&new.redirect_uri)
            .bind(&new.code_challenge)
            .bind(new.nonce.as_deref())
            .bind(SqlTime(now))
            .bind(SqlTime(new.expires_at))
    )?;
    Ok(())
}

async fn find(tx: &mut Tx, code_hash: &str) -> Result<Option<CodeRow>> {
    const SQL: &str = "SELECT grant_id, redirect_uri, code_challenge, nonce, expires_at, used_at FROM oauth_codes \
        WHERE code_hash = $1";
    on!(tx.held(), c => sqlx::query_as::<_, CodeRow>(SQL).bind(code_hash).fetch_optional(c))
}

/// Exchanges a code. Of many exchanges of one code at most one is issued, and every one after it ends what the first
/// began. What does not fit the authorization request leaves the code as it is.
pub async fn redeem(tx: &mut Tx, presented: &Presented<'_>, now: Timestamp) -> Result<Exchange> {
    const USE: &str = "UPDATE oauth_codes SET used_at = $2 WHERE code_hash = $1 AND used_at IS NULL";
    let Some(CodeRow { grant_id, .. }) = find(tx, presented.code_hash).await? else {
        return Ok(Exchange::Unknown);
    };
    let Some(grant) = grants::hold(tx, &grant_id).await? else { return Ok(Exchange::Unknown) };
    // Again, because another exchange may have come before the lock.
    let Some(code) = find(tx, presented.code_hash).await? else { return Ok(Exchange::Unknown) };
    // Who is not even the client must not be able to end the grant.
    if grant.client_id != presented.client_id {
        return Ok(Exchange::Mismatch);
    }
    if code.used_at.is_some() {
        grants::revoke(tx, &grant_id, now).await?;
        return Ok(Exchange::Reused(Box::new(grant)));
    }
    let user = match grants::standing(tx, &grant, now).await? {
        Ok(user) => user,
        Err(refused) => return Ok(refused),
    };
    if code.expires_at <= now {
        return Ok(Exchange::Expired);
    }
    let is_right = code.redirect_uri == presented.redirect_uri
        && code.code_challenge == presented.code_challenge
        && presented.resource.is_none_or(|resource| resource == grant.resource)
        && (grant.dpop_jkt.is_none() || grant.dpop_jkt.as_deref() == presented.dpop_jkt);
    if !is_right {
        return Ok(Exchange::Mismatch);
    }
    affected!(tx.held(), sqlx::query(USE).bind(presented.code_hash).bind(SqlTime(now)))?;
    let mut ends = now.plus(ACCESS_LIFE);
    if let Some(token) = &presented.refresh {
        refresh_tokens::insert(tx, &grant_id, token, now).await?;
        ends = ends.max(token.expires_at);
    }
    clients::touch(tx, &grant.client_id, now).await?;
    let key = if presented.any_key_later {
        grants::unbind(tx, &grant_id).await?;
        None
    } else {
        presented.dpop_jkt
    };
    let Some(grant) = grants::extend(tx, &grant_id, ends, key, now).await? else {
        return Ok(Exchange::Unknown);
    };
    let scopes = grant.scopes.clone();
    Ok(Exchange::Issued(Box::new(Issued { grant, user, scopes, nonce: code.nonce })))
}
