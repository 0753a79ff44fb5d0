//! The search index of a data source: one SQLite file with an FTS5 table. All SQL of the node is in
//! this folder. The file holds nothing that cannot be built again from the documents.

mod lock;
mod query;
mod score;
mod search;
mod sql;
mod write;

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

pub(crate) use lock::Lock;
pub(crate) use search::{Found, SearchLimits};
pub(crate) use write::{Change, Entry, Outcome};

/// Version of the tables; a file with another one is thrown away and built again.
const SCHEMA_VERSION: i64 = 1;

/// A handle to the index; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Index {
    read: SqlitePool,
    write: SqlitePool,
}

/// The index cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the search index {path} cannot be used: {source}")]
pub struct IndexError {
    /// The file.
    pub path: String,
    /// What SQLite said.
    #[source]
    pub source: sqlx::Error,
}

impl Index {
    /// Opens the index in `file`, building it new when it is missing, damaged or of another version.
    pub(crate) async fn open(file: &Path) -> Result<Self, IndexError> {
        let fault = |source| IndexError { path: file.display().to_string(), source };
        match Self::try_open(file).await {
            Ok(Some(index)) => Ok(index),
            Ok(None) | Err(sqlx::Error::Database(_)) => {
                remove(file);
                Self::try_open(file).await.map_err(fault)?.ok_or_else(|| {
                    fault(sqlx::Error::Protocol("a new index has an unexpected version".to_owned()))
                })
            }
            Err(error) => Err(fault(error)),
        }
    }

    /// `None` when the file has another version.
    async fn try_open(file: &Path) -> Result<Option<Self>, sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A crash may cost the index, never a document: it is rebuilt then.
            .synchronous(SqliteSynchronous::Off)
            .busy_timeout(Duration::from_secs(10))
            .pragma("cache_size", "-32768")
            .pragma("temp_store", "memory");
        let write = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        let version: i64 = sqlx::query_scalar(sql::VERSION).fetch_one(&write).await?;
        if version == 0 {
            for statement in sql::SCHEMA {
                sqlx::query(*statement).execute(&write).await?;
            }
        } else if version != SCHEMA_VERSION {
            write.close().await;
            return Ok(None);
        }
        sqlx::query_scalar::<_, i64>(sql::COUNT_PASSAGES).fetch_one(&write).await?;
        let read = SqlitePoolOptions::new().max_connections(4).connect_with(options.read_only(true)).await?;
        Ok(Some(Self { read, write }))
    }

    /// Closes the file.
    pub(crate) async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

fn remove(file: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        if let Err(error) = std::fs::remove_file(&name)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(file = %Path::new(&name).display(), %error, "node.index.not_removed");
        }
    }
}

#[cfg(test)]
mod tests;
