//! What can go wrong in the database, as kinds that a caller or an operator can act on.

use std::borrow::Cow;
use std::time::Duration;

use syfthub_domain::ErrorCode;

/// `Result` with the store's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed database operation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A unique constraint refused the row. The name is `{table}_{columns}_key` on both databases,
    /// for example `users_email_key`.
    #[error("unique constraint {0} refused the row")]
    Unique(String),
    /// A foreign key refused the change: what it refers to is gone, or something still refers to it.
    #[error("a foreign key refused the change")]
    Reference(#[source] sqlx::Error),
    /// A check refused a value that the rules above should have refused before.
    #[error("a check of the database refused a value")]
    Check(#[source] sqlx::Error),
    /// A text holds a character that PostgreSQL cannot keep (U+0000).
    #[error("a text holds a character that cannot be stored")]
    Text(#[source] sqlx::Error),
    /// Another writer held the database or the row for too long, or the pool had no free connection.
    #[error(
        "the database is busy; if it lasts, look for a long transaction or another process on the file, or raise DB_POOL_SIZE"
    )]
    Locked(#[source] sqlx::Error),
    /// The database cannot be reached or opened.
    #[error(
        "the database cannot be reached; check that it runs, DATABASE_URL, and the permissions of the file"
    )]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No room is left to write.
    #[error("the disk that holds the database is full; free space on it, nothing was written")]
    DiskFull(#[source] sqlx::Error),
    /// The database's own files are damaged, or the file is no database.
    #[error("the database is damaged or not a database; stop the hub, keep the file and restore a backup")]
    Corrupt(#[source] sqlx::Error),
    /// The schema does not fit this version of the hub.
    #[error("{0}")]
    Schema(String),
    /// Anything else, a fault of the hub.
    #[error("unexpected database error")]
    Other(#[source] sqlx::Error),
}

impl Error {
    /// Whether the unique constraint of this name refused the row.
    pub fn is_unique(&self, constraint: &str) -> bool {
        matches!(self, Self::Unique(name) if name == constraint)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let sqlx::Error::Database(database) = &error else {
            return match error {
                sqlx::Error::PoolTimedOut => Self::Locked(error),
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
                | sqlx::Error::Configuration(_) => Self::Unavailable(Box::new(error)),
                _ => Self::Other(error),
            };
        };
        if database.is_unique_violation() {
            let name =
                database.constraint().map_or_else(|| sqlite_constraint(database.message()), str::to_owned);
            return Self::Unique(name);
        }
        if database.is_foreign_key_violation() {
            return Self::Reference(error);
        }
        if database.is_check_violation() {
            return Self::Check(error);
        }
        let code = database.code().unwrap_or(Cow::Borrowed("")).into_owned();
        if code.len() == 5 && database.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
            from_postgres(&code, error)
        } else {
            from_sqlite(&code, error)
        }
    }
}

fn from_postgres(code: &str, error: sqlx::Error) -> Error {
    match code {
        // Deadlock, serialization failure, lock not available, cancelled by a timeout.
        "40P01" | "40001" | "55P03" | "57014" => Error::Locked(error),
        "53100" => Error::DiskFull(error),
        // Character not in repertoire, untranslatable character.
        "22021" | "22P05" => Error::Text(error),
        "XX001" | "XX002" => Error::Corrupt(error),
        "42501" => Error::Schema(format!(
            "the database role lacks a right ({error}); run `syfthub migrate` as the owner of the tables, or grant it"
        )),
        // Shutdown, start-up, too many connections, no such database, wrong password.
        "57P01" | "57P02" | "57P03" | "53300" | "3D000" | "28000" | "28P01" | "25006" => {
            Error::Unavailable(Box::new(error))
        }
        code if code.starts_with("08") => Error::Unavailable(Box::new(error)),
        _ => Error::Other(error),
    }
}

fn from_sqlite(code: &str, error: sqlx::Error) -> Error {
    // The low byte of an extended result code is the primary one.
    match code.parse::<i32>().map(|code| code & 0xff) {
        Ok(5 | 6) => Error::Locked(error),
        Ok(13) => Error::DiskFull(error),
        Ok(11 | 26) => Error::Corrupt(error),
        // PERM, READONLY, IOERR, CANTOPEN
        Ok(3 | 8 | 10 | 14) => Error::Unavailable(Box::new(error)),
        _ => Error::Other(error),
    }
}

/// SQLite names the columns and not the constraint (`UNIQUE constraint failed: t.a, t.b`), so the name
/// is built the way PostgreSQL builds it.
fn sqlite_constraint(message: &str) -> String {
    let columns = message.rsplit_once(": ").map_or(message, |(_, columns)| columns);
    let mut name = String::new();
    for (index, column) in columns.split(", ").enumerate() {
        let (table, column) = column.split_once('.').unwrap_or(("", column));
        if index == 0 {
            name.push_str(table);
        }
        name.push('_');
        name.push_str(column);
    }
    name.push_str("_key");
    name
}

impl From<Error> for syfthub_domain::Error {
    fn from(error: Error) -> Self {
        let unavailable = |text: &str, seconds: u64| {
            Self::new(ErrorCode::Unavailable, text).with_retry_after(Duration::from_secs(seconds))
        };
        match &error {
            Error::Unique(_) => Self::new(ErrorCode::Conflict, "Something with this name exists already"),
            Error::Reference(_) => Self::new(
                ErrorCode::Conflict,
                "Something that this belongs to was removed or is still in use; load it again and retry",
            ),
            Error::Check(_) => Self::new(ErrorCode::ValidationError, "A value is not one of those allowed"),
            Error::Text(_) => Self::new(
                ErrorCode::ValidationError,
                "A text holds the character U+0000, which cannot be stored; remove it",
            ),
            Error::Locked(_) => unavailable("The database is busy; try again in a moment", 1),
            Error::Unavailable(_) => unavailable("The database is not reachable; try again shortly", 5),
            Error::DiskFull(_) => {
                unavailable("Nothing can be stored right now because the hub's disk is full", 60)
            }
            Error::Corrupt(_) | Error::Schema(_) => {
                unavailable("The database needs its operator's attention; nothing was changed", 60)
            }
            Error::Other(_) => return Self::internal(error),
        }
        .with_source(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_columns_become_the_name_that_postgresql_uses() {
        assert_eq!(sqlite_constraint("UNIQUE constraint failed: users.email"), "users_email_key");
        assert_eq!(
            sqlite_constraint("UNIQUE constraint failed: endpoints.user_id, endpoints.slug"),
            "endpoints_user_id_slug_key"
        );
    }

    #[test]
    fn a_busy_database_tells_the_client_to_wait_and_the_log_why() {
        let error = syfthub_domain::Error::from(Error::from(sqlx::Error::PoolTimedOut));
        assert_eq!(error.code, ErrorCode::Unavailable);
        assert!(error.retry_after.is_some());
        assert!(error.chain().contains("long transaction"), "{}", error.chain());
        assert!(!error.message.contains("DB_POOL_SIZE"));
    }
}
