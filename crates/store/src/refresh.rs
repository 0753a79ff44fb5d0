//! Refresh families: one per sign-in. Each refresh consumes the presented token id and adds a new one.
//! Ids of consumed tokens stay until they expire, so that a second use is recognised.
//! Also the ids of access tokens that were revoked before they expired.

use std::time::Duration;

use syfthub_domain::{Timestamp, UserId};

use crate::column::{SqlTime, row};
use crate::db::{affected, on};
use crate::{Db, Reads, Result, Tx, oauth, sessions};

/// A consumed token that comes back within this time gets a fresh one: clients that refresh on two
/// threads at once are not thieves.
pub const GRACE: Duration = Duration::from_secs(30);

/// Rows of each table that [`purge_expired`] deletes at most.
pub const PURGE_BATCH: i64 = 2_000;

/// The longest life of an access token that the settings allow (`ACCESS_TOKEN_EXPIRE_MINUTES`). The last access
/// token of a family is issued with its last refresh token, so this long after that one's end none can be alive.
const LONGEST_ACCESS: Duration = Duration::from_hours(168);

/// A sign-in and its first refresh token.
#[derive(Debug, Clone)]
pub struct NewFamily {
    /// Id of the family, a UUID.
    pub id: String,
    /// Whose it is.
    pub user_id: UserId,
    /// Id of the first token.
    pub jti: String,
    /// Now.
    pub created_at: Timestamp,
    /// When the first token ends.
    pub expires_at: Timestamp,
    /// What the client calls itself.
    pub device: Option<String>,
    /// Where it is.
    pub address: Option<String>,
}

/// A refresh: the token presented and the one to take its place.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Family claim of the presented token.
    pub family: String,
    /// Id of the presented token.
    pub jti: String,
    /// Id of the token to be issued.
    pub next_jti: String,
    /// When that token ends.
    pub next_expires_at: Timestamp,
    /// Where the client is.
    pub address: Option<String>,
    /// Now.
    pub now: Timestamp,
    /// How long a consumed token may come back: [`GRACE`], or `Duration::MAX` when rotation is not enforced.
    pub grace: Duration,
}

/// What became of a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// The token was consumed; the next one is good.
    Rotated(UserId),
    /// The token had been consumed a moment ago; the next one is good all the same.
    Grace(UserId),
    /// The token had been consumed long ago. The family is revoked now: commit, then refuse.
    Reused(UserId),
    /// No such token, or it expired, or its family was revoked.
    Unknown,
}

row! {
    /// A token as a refresh finds it.
    #[derive(Debug)]
    struct Found {
        user_id: UserId,
        consumed_at: Option<Timestamp>,
    }
}

row! {
    struct LastUse {
        last_used_at: Timestamp,
    }
}

/// Starts a family with its first token.
pub async fn insert_family(tx: &mut Tx, new: &NewFamily) -> Result<()> {
    const SQL: &str = "INSERT INTO refresh_families (id, user_id, created_at, last_used_at, expires_at, device, address) \
        VALUES ($1, $2, $3, $3, $4, $5, $6)";
    affected!(
        tx.held(),
        sqlx::query(SQL)
            .bind(&new.id)
            .bind(new.user_id.0)
            .bind(SqlTime(new.created_at))
            .bind(SqlTime(new.expires_at))
            .bind(new.device.as_deref())
            .bind(new.address.as_deref())
    )?;
    insert_token(tx, &new.jti, &new.id, new.created_at, new.expires_at).await
}

async fn insert_token(
    tx: &mut Tx,
    jti: &str,
    family: &str,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<()> {
    const SQL: &str =
        "INSERT INTO refresh_tokens (jti, family_id, issued_at, expires_at) VALUES ($1, $2, $3, $4)";
    affected!(
        tx.held(),
        sqlx::query(SQL).bind(jti).bind(family).bind(SqlTime(now)).bind(SqlTime(expires_at))
    )?;
    Ok(())
}

/// Exchanges a refresh token. Of two exchanges of the same token at the same moment exactly one is
/// `Rotated`, the other is `Grace`.
pub async fn rotate(tx: &mut Tx, exchange: &Exchange) -> Result<Rotation> {
    const FIND: &str = "SELECT f.user_id, t.consumed_at FROM refresh_tokens t \
        JOIN refresh_families f ON f.id = t.family_id \
        WHERE t.jti = $1 AND f.id = $2 AND f.revoked_at IS NULL AND t.expires_at > $3";
    const CONSUME: &str = "UPDATE refresh_tokens SET consumed_at = $2 WHERE jti = $1 AND consumed_at IS NULL";
    // Never shortened: with a shorter lifetime in the settings, older tokens still live as long as they say.
    const EXTEND: &str = "UPDATE refresh_families SET \
        expires_at = CASE WHEN expires_at < $2 THEN $2 ELSE expires_at END, last_used_at = $3, \
        address = COALESCE($4, address) WHERE id = $1 AND revoked_at IS NULL";
    let Exchange { family, jti, next_jti, next_expires_at, address, now, grace } = exchange;

    // The family's row is locked first, so that a revocation and a refresh cannot pass each other.
    let live = affected!(
        tx.held(),
        sqlx::query(EXTEND)
            .bind(family)
            .bind(SqlTime(*next_expires_at))
            .bind(SqlTime(*now))
            .bind(address.as_deref())
    )?;
    let found = on!(tx.held(), c => sqlx::query_as::<_, Found>(FIND)
        .bind(jti).bind(family).bind(SqlTime(*now)).fetch_optional(c))?;
    let (1, Some(found)) = (live, found) else {
        return Ok(Rotation::Unknown);
    };
    let first = affected!(tx.held(), sqlx::query(CONSUME).bind(jti).bind(SqlTime(*now)))? == 1;
    let outcome = match found.consumed_at {
        _ if first => Rotation::Rotated(found.user_id),
        Some(at) if now.since(at) <= *grace => Rotation::Grace(found.user_id),
        _ => {
            revoke_family(tx, family, *now).await?;
            return Ok(Rotation::Reused(found.user_id));
        }
    };
    insert_token(tx, next_jti, family, *now, *next_expires_at).await?;
    Ok(outcome)
}

/// Whether the family exists and was not revoked.
pub async fn is_live(from: impl Reads, family: &str) -> Result<bool> {
    last_use(from, family).await.map(|live| live.is_some())
}

/// When a family that exists and was not revoked was last used, as far as it was recorded.
pub async fn last_use(from: impl Reads, family: &str) -> Result<Option<Timestamp>> {
    const SQL: &str = "SELECT COALESCE(last_used_at, created_at) AS last_used_at FROM refresh_families \
        WHERE id = $1 AND revoked_at IS NULL";
    let row = on!(from.source().conn().await?, c => sqlx::query_as::<_, LastUse>(SQL).bind(family).fetch_optional(c))?;
    Ok(row.map(|row| row.last_used_at))
}

/// Records a use of an access token of a family.
pub async fn touch_family(tx: &mut Tx, family: &str, address: Option<&str>, now: Timestamp) -> Result<()> {
    const SQL: &str = "UPDATE refresh_families SET last_used_at = $3, address = COALESCE($2, address) \
        WHERE id = $1 AND revoked_at IS NULL";
    affected!(tx.held(), sqlx::query(SQL).bind(family).bind(address).bind(SqlTime(now)))?;
    Ok(())
}

/// Ends a family. Gives whether there was a live one.
pub async fn revoke_family(tx: &mut Tx, family: &str, now: Timestamp) -> Result<bool> {
    const SQL: &str = "UPDATE refresh_families SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
    affected!(tx.held(), sqlx::query(SQL).bind(family).bind(SqlTime(now))).map(|rows| rows > 0)
}

/// Ends every session of an account, those of browsers too. Gives how many there were.
pub async fn revoke_user(tx: &mut Tx, user: UserId, now: Timestamp) -> Result<u64> {
    sessions::end_all(tx, user, None, now).await
}

/// Refuses an access token from now on; the row is kept until the token would have ended anyway.
pub async fn revoke_access(tx: &mut Tx, jti: &str, expires_at: Timestamp, now: Timestamp) -> Result<()> {
    const SQL: &str = "INSERT INTO revoked_tokens (jti, revoked_at, expires_at) VALUES ($1, $2, $3) \
        ON CONFLICT (jti) DO NOTHING";
    affected!(tx.held(), sqlx::query(SQL).bind(jti).bind(SqlTime(now)).bind(SqlTime(expires_at)))?;
    Ok(())
}

/// Whether an access token was revoked.
pub async fn is_revoked(from: impl Reads, jti: &str) -> Result<bool> {
    const SQL: &str = "SELECT COUNT(*) FROM revoked_tokens WHERE jti = $1";
    let count =
        on!(from.source().conn().await?, c => sqlx::query_scalar::<_, i64>(SQL).bind(jti).fetch_one(c))?;
    Ok(count > 0)
}

/// Deletes some of what has expired: at most [`PURGE_BATCH`] tokens, families and revocations each. Gives how many
/// rows went; while that is not 0 there may be more, which is for the next change. [`purge`] does all of it.
pub async fn purge_expired(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    const TOKENS: &str = "DELETE FROM refresh_tokens WHERE jti IN \
        (SELECT jti FROM refresh_tokens WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
    // Only those without tokens, so that the cascade of a family does not make a small batch a large one.
    const FAMILIES: &str = "DELETE FROM refresh_families WHERE id IN (SELECT f.id FROM refresh_families f \
        WHERE f.expires_at <= $1 AND NOT EXISTS (SELECT 1 FROM refresh_tokens t WHERE t.family_id = f.id) \
        ORDER BY f.expires_at LIMIT $2)";
    const REVOKED: &str = "DELETE FROM revoked_tokens WHERE jti IN \
        (SELECT jti FROM revoked_tokens WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
    let mut rows = 0;
    for (sql, end) in [(TOKENS, now), (FAMILIES, now.minus(LONGEST_ACCESS)), (REVOKED, now)] {
        rows += affected!(tx.held(), sqlx::query(sql).bind(SqlTime(end)).bind(PURGE_BATCH))?;
    }
    Ok(rows)
}

/// Deletes everything that has expired, browser sessions and what was issued by OAuth too, in changes of their own, so
/// that no one else waits long. Gives how many rows went.
pub async fn purge(db: &Db, now: Timestamp) -> Result<u64> {
    let mut rows = 0;
    loop {
        let mut tx = db.begin().await?;
        let batch = purge_expired(&mut tx, now).await?
            + sessions::purge_expired(&mut tx, now).await?
            + oauth::purge_expired(&mut tx, now).await?;
        tx.commit().await?;
        if batch == 0 {
            return Ok(rows);
        }
        rows += batch;
    }
}

#[cfg(test)]
mod tests {
    use syfthub_config::{Kind, TABLE};

    use super::LONGEST_ACCESS;

    #[test]
    fn no_setting_lets_an_access_token_outlive_its_family() {
        let setting = TABLE.iter().find(|setting| setting.name == "ACCESS_TOKEN_EXPIRE_MINUTES").unwrap();
        let Kind::Integer { max, .. } = setting.kind else { unreachable!("it is a number of minutes") };
        assert_eq!(max * 60, LONGEST_ACCESS.as_secs());
    }
}
