//! Seals: batches of committed rows, each naming the seal before it.

use sha2::{Digest as _, Sha256};
use syfthub_domain::Timestamp;

use super::read::AuditRow;
use crate::column::{SqlTime, row};
use crate::db::{Sql, affected, on};
use crate::{Reads, Result, Tx};

/// What the first seal of all names as the one before it.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Most rows of one seal.
pub const BATCH: i64 = 500;

row! {
    /// A row of `audit_seals`.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct SealRow {
        /// Its place in the chain, from 1.
        pub number: i64,
        /// Hash of the seal before it.
        pub previous_hash: String,
        /// Id of its first row.
        pub first_row: String,
        /// Id of its last row.
        pub last_row: String,
        /// How many rows it holds.
        pub row_count: i64,
        /// Digest over the hashes of its rows, in order.
        pub rows_digest: String,
        /// Hash over all of the above.
        pub hash: String,
        /// When it was made.
        pub sealed_at: Timestamp,
        /// When its rows and all before them were pruned.
        pub pruned_at: Option<Timestamp>,
    }
}

macro_rules! columns {
    () => {
        "number, previous_hash, first_row, last_row, row_count, rows_digest, hash, sealed_at, pruned_at"
    };
}

/// SHA-256 over fields that cannot run into one another: each is preceded by whether it is there and its length.
struct Canonical(Sha256);

impl Canonical {
    fn new(label: &str) -> Self {
        let mut this = Self(Sha256::new());
        this.text(label);
        this
    }

    fn text(&mut self, text: &str) {
        self.optional(Some(text));
    }

    fn optional(&mut self, text: Option<&str>) {
        let Some(text) = text else {
            self.0.update([0]);
            return;
        };
        self.0.update([1]);
        self.0.update((text.len() as u64).to_be_bytes());
        self.0.update(text.as_bytes());
    }

    fn number(&mut self, number: i64) {
        self.text(&number.to_string());
    }

    fn finish(self) -> String {
        hex::encode(self.0.finalize())
    }
}

/// The hash of a row's contents, in a fixed order of fields.
pub(super) fn row_hash(row: &AuditRow) -> String {
    let mut canonical = Canonical::new("syfthub.audit.row.v1");
    canonical.text(&row.id);
    canonical.number(row.occurred_at.as_micros());
    canonical.optional(row.actor_id.map(|id| id.to_string()).as_deref());
    canonical.text(&row.actor_name);
    canonical.optional(row.actor_address.as_deref());
    canonical.optional(row.correlation_id.as_deref());
    canonical.text(&row.action);
    canonical.text(&row.target_kind);
    canonical.text(&row.target);
    canonical.text(&row.outcome);
    canonical.optional(row.before_json.as_deref());
    canonical.optional(row.after_json.as_deref());
    canonical.finish()
}

/// The digest of rows in their order in the seal.
pub(super) fn digest<'a>(hashes: impl IntoIterator<Item = &'a str>) -> String {
    let mut canonical = Canonical::new("syfthub.audit.rows.v1");
    hashes.into_iter().for_each(|hash| canonical.text(hash));
    canonical.finish()
}

/// The hash of a seal.
pub(super) fn seal_hash(seal: &SealRow) -> String {
    let mut canonical = Canonical::new("syfthub.audit.seal.v1");
    canonical.text(&seal.previous_hash);
    canonical.number(seal.number);
    canonical.text(&seal.first_row);
    canonical.text(&seal.last_row);
    canonical.number(seal.row_count);
    canonical.text(&seal.rows_digest);
    canonical.number(seal.sealed_at.as_micros());
    canonical.finish()
}

/// Whether rows wait for a seal; cheap enough to ask every second.
pub async fn any_unsealed(from: impl Reads) -> Result<bool> {
    const SQL: &str = "SELECT id FROM audit_log WHERE seal_number IS NULL LIMIT 1";
    let found =
        on!(from.source().conn().await?, c => sqlx::query_scalar::<_, String>(SQL).fetch_optional(c))?;
    Ok(found.is_some())
}

/// The last seal.
pub async fn head(from: impl Reads) -> Result<Option<SealRow>> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM audit_seals ORDER BY number DESC LIMIT 1");
    on!(from.source().conn().await?, c => sqlx::query_as::<_, SealRow>(SQL).fetch_optional(c))
}

/// Seals from `number` on, in order.
pub(super) async fn seals_from(from: impl Reads, number: i64, limit: i64) -> Result<Vec<SealRow>> {
    const SQL: &str =
        concat!("SELECT ", columns!(), " FROM audit_seals WHERE number >= $1 ORDER BY number LIMIT $2");
    on!(from.source().conn().await?, c => sqlx::query_as::<_, SealRow>(SQL).bind(number).bind(limit).fetch_all(c))
}

/// The seal whose rows were pruned last.
pub async fn checkpoint(from: impl Reads) -> Result<Option<SealRow>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM audit_seals WHERE pruned_at IS NOT NULL ORDER BY number DESC LIMIT 1"
    );
    on!(from.source().conn().await?, c => sqlx::query_as::<_, SealRow>(SQL).fetch_optional(c))
}

/// How a change becomes the only one that seals or prunes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Waits for the other one.
    Wait,
    /// Leaves it to the other one.
    Yield,
}

/// Takes the turn until the end of the change. SQLite has one writer anyway.
pub(super) async fn take_turn(tx: &mut Tx, turn: Turn) -> Result<bool> {
    const WAIT: &str = "SELECT pg_advisory_xact_lock(839204)";
    const TRY: &str = "SELECT pg_try_advisory_xact_lock(839204)";
    let Tx::Postgres(conn) = tx else { return Ok(true) };
    match turn {
        Turn::Wait => sqlx::query(WAIT).execute(&mut **conn).await.map(|_| true).map_err(crate::Error::from),
        Turn::Yield => {
            sqlx::query_scalar::<_, bool>(TRY).fetch_one(&mut **conn).await.map_err(crate::Error::from)
        }
    }
}

/// Seals the oldest rows that have no seal, at most [`BATCH`] of them. Gives the seal, or nothing when there was
/// nothing to seal or somebody else does it. What commits later is sealed later, whatever its id.
pub async fn seal(tx: &mut Tx, turn: Turn, now: Timestamp) -> Result<Option<SealRow>> {
    if !take_turn(tx, turn).await? {
        return Ok(None);
    }
    let rows = super::read::unsealed(&mut *tx, BATCH).await?;
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(None) };
    let hashes: Vec<String> = rows.iter().map(row_hash).collect();
    let head = head(&mut *tx).await?;
    let mut seal = SealRow {
        number: head.as_ref().map_or(0, |head| head.number) + 1,
        previous_hash: head.map_or_else(|| GENESIS.to_owned(), |head| head.hash),
        first_row: first.id.clone(),
        last_row: last.id.clone(),
        row_count: i64::try_from(rows.len()).unwrap_or(i64::MAX),
        rows_digest: digest(hashes.iter().map(String::as_str)),
        hash: String::new(),
        sealed_at: now,
        pruned_at: None,
    };
    seal.hash = seal_hash(&seal);
    insert(tx, &seal).await?;
    let ids = rows.iter().map(|row| row.id.as_str());
    assign(tx, seal.number, ids.zip(hashes.iter().map(String::as_str))).await?;
    Ok(Some(seal))
}

async fn insert(tx: &mut Tx, seal: &SealRow) -> Result<()> {
    const SQL: &str = "INSERT INTO audit_seals (number, previous_hash, first_row, last_row, row_count, rows_digest, \
        hash, sealed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    affected!(
        tx.held(),
        sqlx::query(SQL)
            .bind(seal.number)
            .bind(&seal.previous_hash)
            .bind(&seal.first_row)
            .bind(&seal.last_row)
            .bind(seal.row_count)
            .bind(&seal.rows_digest)
            .bind(&seal.hash)
            .bind(SqlTime(seal.sealed_at))
    )?;
    Ok(())
}

/// Gives rows their seal, their place in it and their hash.
async fn assign<'a>(tx: &mut Tx, number: i64, rows: impl Iterator<Item = (&'a str, &'a str)>) -> Result<()> {
    const SQL: Sql = Sql {
        postgres: "UPDATE audit_log SET seal_number = $1, seal_position = given.position, row_hash = given.hash \
            FROM json_to_recordset($2::json) AS given (id TEXT, position BIGINT, hash TEXT) \
            WHERE audit_log.id = given.id",
        sqlite: "UPDATE audit_log SET seal_number = $1, seal_position = given.position, row_hash = given.hash \
            FROM (SELECT json_extract(value, '$.id') AS id, json_extract(value, '$.position') AS position, \
                  json_extract(value, '$.hash') AS hash FROM json_each($2)) AS given \
            WHERE audit_log.id = given.id",
    };
    let given: Vec<serde_json::Value> = rows
        .enumerate()
        .map(|(position, (id, hash))| serde_json::json!({"id": id, "position": position, "hash": hash}))
        .collect();
    let conn = tx.held();
    let sql = SQL.pick(&conn);
    affected!(conn, sqlx::query(sql).bind(number).bind(crate::json(&given)))?;
    Ok(())
}
