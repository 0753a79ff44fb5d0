//! What went wrong, as the hub, the web app and other services reported it.

use serde_json::Value;
use syfthub_domain::{Timestamp, UserId};

use crate::column::{SqlTime, row};
use crate::db::{affected, on};
use crate::{Db, Page, Reads, Result, Tx};

/// Rows that one step of [`purge`] deletes, so that no other change waits long.
const PURGE_STEP: i64 = 1000;

row! {
    /// A row of `error_logs`.
    #[derive(Debug, Clone, PartialEq)]
    pub struct ErrorLogRow {
        /// Row id.
        pub id: i64,
        /// The request it belongs to.
        pub correlation_id: String,
        /// When it happened.
        pub timestamp: Timestamp,
        /// Who reported it: `backend`, `frontend`, …
        pub service: String,
        /// How bad it was: `ERROR`, …
        pub level: String,
        /// What happened, as the name of an event.
        pub event: String,
        /// What happened, in words.
        pub message: Option<String>,
        /// Who it happened to.
        pub user_id: Option<UserId>,
        /// The path or page.
        pub endpoint: Option<String>,
        /// The HTTP method, or `CLIENT`.
        pub method: Option<String>,
        /// The kind of the error.
        pub error_type: Option<String>,
        /// Its code.
        pub error_code: Option<String>,
        /// Where in the program, or the chain of causes.
        pub stack_trace: Option<String>,
        /// What else was known.
        pub context: Option<Value>,
        /// What was asked, redacted.
        pub request_data: Option<Value>,
        /// What was answered, redacted.
        pub response_data: Option<Value>,
        /// When the row was written.
        pub created_at: Timestamp,
    }
}

/// A row to be written. Texts must fit their columns: the caller clips them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NewErrorLog {
    /// The request it belongs to, at most 36 characters.
    pub correlation_id: String,
    /// When it happened.
    pub timestamp: Option<Timestamp>,
    /// Who reports it, at most 50 characters.
    pub service: String,
    /// How bad it was, at most 20 characters.
    pub level: String,
    /// The name of the event, at most 100 characters.
    pub event: String,
    /// What happened, in words.
    pub message: Option<String>,
    /// Who it happened to; left out if the account is gone.
    pub user_id: Option<UserId>,
    /// The path or page, at most 255 characters.
    pub endpoint: Option<String>,
    /// The HTTP method, at most 10 characters.
    pub method: Option<String>,
    /// The kind of the error, at most 100 characters.
    pub error_type: Option<String>,
    /// Its code, at most 50 characters.
    pub error_code: Option<String>,
    /// Where in the program.
    pub stack_trace: Option<String>,
    /// What else was known.
    pub context: Option<Value>,
    /// What was asked.
    pub request_data: Option<Value>,
    /// What was answered.
    pub response_data: Option<Value>,
}

/// Which rows are wanted; without any of them, all.
#[derive(Debug, Clone, Default)]
pub struct ErrorLogFilter {
    /// Of this request.
    pub correlation_id: Option<String>,
    /// Reported by this service.
    pub service: Option<String>,
    /// With this event.
    pub event: Option<String>,
    /// That happened to this user.
    pub user_id: Option<UserId>,
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
}

macro_rules! columns {
    () => {
        "id, correlation_id, timestamp, service, level, event, message, user_id, endpoint, method, error_type, \
         error_code, stack_trace, context, request_data, response_data, created_at"
    };
}

/// Writes rows.
pub async fn insert(tx: &mut Tx, rows: &[NewErrorLog], now: Timestamp) -> Result<()> {
    // The account may be gone by the time that a batch is written.
    const SQL: &str = "INSERT INTO error_logs (correlation_id, timestamp, service, level, event, message, user_id, \
        endpoint, method, error_type, error_code, stack_trace, context, request_data, response_data, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6, (SELECT id FROM users WHERE id = $7), $8, $9, $10, $11, $12, $13, $14, $15, $16)";
    let text = |value: &Option<Value>| value.as_ref().map(Value::to_string);
    for row in rows {
        affected!(
            tx.held(),
            sqlx::query(SQL)
                .bind(&row.correlation_id)
                .bind(SqlTime(row.timestamp.unwrap_or(now)))
                .bind(&row.service)
                .bind(&row.level)
                .bind(&row.event)
                .bind(row.message.as_deref())
                .bind(row.user_id.map(|id| id.0))
                .bind(row.endpoint.as_deref())
                .bind(row.method.as_deref())
                .bind(row.error_type.as_deref())
                .bind(row.error_code.as_deref())
                .bind(row.stack_trace.as_deref())
                .bind(text(&row.context))
                .bind(text(&row.request_data))
                .bind(text(&row.response_data))
                .bind(SqlTime(now))
        )?;
    }
    Ok(())
}

/// The conditions of a filter. Only what is asked for is in the text, so that each index can be used.
fn conditions(filter: &ErrorLogFilter) -> String {
    let wanted = [
        (filter.correlation_id.is_some(), "correlation_id = $1"),
        (filter.service.is_some(), "service = $2"),
        (filter.event.is_some(), "event = $3"),
        (filter.user_id.is_some(), "user_id = $4"),
        (filter.since.is_some(), "timestamp >= $5"),
        (filter.until.is_some(), "timestamp < $6"),
    ];
    let parts: Vec<&str> = wanted.into_iter().filter(|(wanted, _)| *wanted).map(|(_, text)| text).collect();
    if parts.is_empty() { String::new() } else { format!(" WHERE {}", parts.join(" AND ")) }
}

macro_rules! bound {
    ($query:expr, $filter:expr) => {
        $query
            .bind($filter.correlation_id.as_deref())
            .bind($filter.service.as_deref())
            .bind($filter.event.as_deref())
            .bind($filter.user_id.map(|id| id.0))
            .bind($filter.since.map(SqlTime))
            .bind($filter.until.map(SqlTime))
    };
}

/// Rows, newest first.
pub async fn list(from: impl Reads, filter: &ErrorLogFilter, page: Page) -> Result<Vec<ErrorLogRow>> {
    let sql = format!(
        "SELECT {} FROM error_logs{} ORDER BY timestamp DESC, id DESC LIMIT $7 OFFSET $8",
        columns!(),
        conditions(filter)
    );
    on!(from.source().conn().await?, c => bound!(sqlx::query_as::<_, ErrorLogRow>(sqlx::AssertSqlSafe(sql)), filter)
        .bind(i64::from(page.limit))
        .bind(i64::from(page.skip))
        .fetch_all(c))
}

/// How many rows [`list`] would give without a page.
pub async fn count(from: impl Reads, filter: &ErrorLogFilter) -> Result<i64> {
    let sql = format!("SELECT COUNT(*) FROM error_logs{}", conditions(filter));
    on!(from.source().conn().await?, c => bound!(sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(sql)), filter)
        .fetch_one(c))
}

/// The row with this id.
pub async fn find(from: impl Reads, id: i64) -> Result<Option<ErrorLogRow>> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM error_logs WHERE id = $1");
    on!(from.source().conn().await?, c => sqlx::query_as::<_, ErrorLogRow>(SQL).bind(id).fetch_optional(c))
}

/// Deletes what happened before `before`, in steps of their own. Gives how many rows there were.
pub async fn purge(db: &Db, before: Timestamp) -> Result<u64> {
    const SQL: &str = "DELETE FROM error_logs WHERE id IN \
        (SELECT id FROM error_logs WHERE timestamp < $1 ORDER BY timestamp, id LIMIT $2)";
    let mut all = 0;
    loop {
        let mut tx = db.begin().await?;
        let rows = affected!(tx.held(), sqlx::query(SQL).bind(SqlTime(before)).bind(PURGE_STEP))?;
        tx.commit().await?;
        all += rows;
        if rows < PURGE_STEP.unsigned_abs() {
            return Ok(all);
        }
    }
}
