//! Requests of devices without a browser (RFC 8628): somebody answers them elsewhere.

use std::time::Duration;

use syfthub_domain::{Timestamp, UserId};

use super::grants::{self, ACCESS_LIFE};
use super::{Issued, NewRefreshToken, clients, refresh_tokens};
use crate::column::{SqlTime, row};
use crate::db::{Sql, affected, on};
use crate::{Reads, Result, Tx, json};

/// Two requests never wait under the same code for the user.
pub const UNIQUE_USER_CODE: &str = "oauth_devices_user_code_key";
/// What a device that asks too often must add to its interval.
const SLOWER: Duration = Duration::from_secs(5);
/// Longest interval that asking too often leads to.
const SLOWEST: i64 = 300;

row! {
    /// A request of a device.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct DeviceRow {
        /// SHA-256, hex.
        pub device_code_hash: String,
        /// What the user types.
        pub user_code: String,
        /// The client.
        pub client_id: String,
        /// Its name, as it is shown.
        pub client_name: String,
        /// The one resource that its tokens are for.
        pub resource: String,
        /// What it asks for.
        pub scopes: Vec<String>,
        /// Thumbprint of the key that its tokens are to be bound to.
        pub dpop_jkt: Option<String>,
        /// `pending`, `approved`, `denied` or `issued`.
        pub state: String,
        /// Of the one who agreed.
        pub grant_id: Option<String>,
        /// Seconds that the device waits between two questions.
        pub interval_seconds: i64,
        /// Its last question.
        pub last_polled_at: Option<Timestamp>,
        /// When it began.
        pub created_at: Timestamp,
        /// When it ends.
        pub expires_at: Timestamp,
    }
}

/// A request to be stored.
#[derive(Debug, Clone)]
pub struct NewDevice {
    /// SHA-256, hex.
    pub device_code_hash: String,
    /// What the user types.
    pub user_code: String,
    /// The client.
    pub client_id: String,
    /// Its name, as it is shown.
    pub client_name: String,
    /// The one resource that its tokens are for.
    pub resource: String,
    /// What it asks for.
    pub scopes: Vec<String>,
    /// Thumbprint of the key that its tokens are to be bound to.
    pub dpop_jkt: Option<String>,
    /// Seconds that the device waits between two questions.
    pub interval_seconds: u32,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// What a device is told.
#[derive(Debug, Clone)]
pub enum Poll {
    /// Nobody has answered yet.
    Pending,
    /// Nobody has answered yet, and the device asks too often.
    SlowDown,
    /// Somebody agreed. It is told once.
    Approved(Box<Issued>),
    /// Somebody refused, or the grant was ended since.
    Denied,
    /// Nobody answered in time.
    Expired,
    /// No such request of this client and key, or it was answered.
    Unknown,
}

macro_rules! columns {
    () => {
        "device_code_hash, user_code, client_id, client_name, resource, scopes, dpop_jkt, state, grant_id, \
         interval_seconds, last_polled_at, created_at, expires_at"
    };
}

/// Stores a request; [`UNIQUE_USER_CODE`] refuses a user code that is taken.
pub async fn insert(tx: &mut Tx, new: &NewDevice, now: Timestamp) -> Result<()> {
    const SQL: &str = "INSERT INTO oauth_devices (device_code_hash, user_code, client_id, client_name, resource, scopes, \
        dpop_jkt, state, interval_seconds, created_at, expires_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', $8, $9, $10)";
    affected!(
        tx.held(),
        sqlx::query(SQL)
            .bind(&new.device_code_hash)
            .bind(&new.user_code)
            .bind(&new.client_id)
            .bind(&new.client_name)
            .bind(&new.resource)
            .bind(json(&new.scopes))
            .bind(new.dpop_jkt.as_deref())
            .bind(i64::from(new.interval_seconds))
            .bind(SqlTime(now))
            .bind(SqlTime(new.expires_at))
    )?;
    Ok(())
}

/// The request that waits under this user code.
pub async fn find_pending(from: impl Reads, user_code: &str, now: Timestamp) -> Result<Option<DeviceRow>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM oauth_devices WHERE user_code = $1 AND state = 'pending' AND expires_at > $2"
    );
    on!(from.source().conn().await?, c => sqlx::query_as::<_, DeviceRow>(SQL)
        .bind(user_code)
        .bind(SqlTime(now))
        .fetch_optional(c))
}

/// Which of an account's grants are those of devices.
pub async fn grants_of(from: impl Reads, user: UserId) -> Result<Vec<String>> {
    const SQL: &str = "SELECT d.grant_id FROM oauth_devices d JOIN oauth_grants g ON g.id = d.grant_id \
        WHERE g.user_id = $1 AND d.state = 'issued'";
    on!(from.source().conn().await?, c => sqlx::query_scalar::<_, String>(SQL).bind(user.0).fetch_all(c))
}

/// Answers a request that waits: with a grant, or with no. Gives whether it was still waiting.
pub async fn decide(tx: &mut Tx, user_code: &str, grant_id: Option<&str>, now: Timestamp) -> Result<bool> {
    const SQL: &str = "UPDATE oauth_devices SET state = $2, grant_id = $3 \
        WHERE user_code = $1 AND state = 'pending' AND expires_at > $4";
    let state = if grant_id.is_some() { "approved" } else { "denied" };
    affected!(tx.held(), sqlx::query(SQL).bind(user_code).bind(state).bind(grant_id).bind(SqlTime(now)))
        .map(|rows| rows > 0)
}

async fn hold(tx: &mut Tx, hash: &str) -> Result<Option<DeviceRow>> {
    const SQL: Sql = Sql {
        postgres: concat!(
            "SELECT ",
            columns!(),
            " FROM oauth_devices WHERE device_code_hash = $1 FOR UPDATE"
        ),
        sqlite: concat!("SELECT ", columns!(), " FROM oauth_devices WHERE device_code_hash = $1"),
    };
    let conn = tx.held();
    let sql = SQL.pick(&conn);
    on!(conn, c => sqlx::query_as::<_, DeviceRow>(sql).bind(hash).fetch_optional(c))
}

/// A question of a device. Of many that come after the user agreed at most one is told so.
pub async fn poll(
    tx: &mut Tx,
    hash: &str,
    client_id: &str,
    dpop_jkt: Option<&str>,
    refresh: Option<&NewRefreshToken<'_>>,
    now: Timestamp,
) -> Result<Poll> {
    let device = hold(tx, hash).await?;
    let Some(device) = device.filter(|device| {
        device.client_id == client_id && (device.dpop_jkt.is_none() || device.dpop_jkt.as_deref() == dpop_jkt)
    }) else {
        return Ok(Poll::Unknown);
    };
    match device.state.as_str() {
        "issued" => Ok(Poll::Unknown),
        _ if device.expires_at <= now => Ok(Poll::Expired),
        "denied" => Ok(Poll::Denied),
        "approved" => issue(tx, &device, dpop_jkt, refresh, now).await,
        _ => wait(tx, &device, now).await,
    }
}

async fn wait(tx: &mut Tx, device: &DeviceRow, now: Timestamp) -> Result<Poll> {
    const SQL: &str =
        "UPDATE oauth_devices SET last_polled_at = $2, interval_seconds = $3 WHERE device_code_hash = $1";
    let interval = Duration::from_secs(u64::try_from(device.interval_seconds).unwrap_or(0));
    let too_soon = device.last_polled_at.is_some_and(|last| now.since(last) < interval);
    let slower = i64::try_from(SLOWER.as_secs()).unwrap_or(0);
    let next =
        if too_soon { (device.interval_seconds + slower).min(SLOWEST) } else { device.interval_seconds };
    affected!(tx.held(), sqlx::query(SQL).bind(&device.device_code_hash).bind(SqlTime(now)).bind(next))?;
    Ok(if too_soon { Poll::SlowDown } else { Poll::Pending })
}

async fn issue(
    tx: &mut Tx,
    device: &DeviceRow,
    dpop_jkt: Option<&str>,
    refresh: Option<&NewRefreshToken<'_>>,
    now: Timestamp,
) -> Result<Poll> {
    const ISSUED: &str = "UPDATE oauth_devices SET state = 'issued' WHERE device_code_hash = $1";
    let grant = match &device.grant_id {
        Some(id) => grants::hold(tx, id).await?,
        None => None,
    };
    let Some(grant) = grant else { return Ok(Poll::Unknown) };
    let Ok(user) = grants::standing(tx, &grant, now).await? else { return Ok(Poll::Denied) };
    affected!(tx.held(), sqlx::query(ISSUED).bind(&device.device_code_hash))?;
    let mut ends = now.plus(ACCESS_LIFE);
    if let Some(token) = refresh {
        refresh_tokens::insert(tx, &grant.id, token, now).await?;
        ends = ends.max(token.expires_at);
    }
    clients::touch(tx, &grant.client_id, now).await?;
    let Some(grant) = grants::extend(tx, &grant.id, ends, dpop_jkt, now).await? else {
        return Ok(Poll::Unknown);
    };
    let scopes = grant.scopes.clone();
    Ok(Poll::Approved(Box::new(Issued { grant, user, scopes, nonce: None })))
}
