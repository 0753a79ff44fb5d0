//! Changes to the index.

use std::collections::HashMap;

use sqlx::{Row as _, SqliteConnection};

use super::{Index, sql};
use crate::passages::Passage;

/// SHA-256 of a file as it lies on the disk.
pub(crate) type Hash = [u8; 32];

/// What the index knows about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Bytes on the disk; -1 when the file must be read again.
    pub(crate) size: i64,
    /// Time of change in microseconds since 1970.
    pub(crate) modified: i64,
    /// Hash of the bytes on the disk.
    pub(crate) hash: Hash,
    /// Whether all its passages are in the index (not a copy, not skipped).
    pub(crate) is_original: bool,
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Its passages.
    Indexed(Vec<Passage>),
    /// The first passages of a file that has the same bytes as another one.
    Copy(Vec<Passage>),
    /// Not readable as text.
    Skipped,
    /// Same bytes as before; only size and time are noted.
    Unchanged,
}

/// One file to be written to the index, in place of what was there under its path.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) path: String,
    pub(crate) title: String,
    pub(crate) entry: Entry,
    pub(crate) outcome: Outcome,
}

impl Index {
    /// Everything that is known, by path.
    pub(crate) async fn entries(&self) -> Result<HashMap<String, Entry>, sqlx::Error> {
        let rows = sqlx::query(sql::ENTRIES).fetch_all(&self.read).await?;
        rows.into_iter()
            .map(|row| {
                let hash: Vec<u8> = row.try_get("hash")?;
                let entry = Entry {
                    size: row.try_get("size")?,
                    modified: row.try_get("modified")?,
                    hash: hash.try_into().unwrap_or_default(),
                    is_original: row.try_get::<i64, _>("state")? == 0,
                };
                Ok((row.try_get("path")?, entry))
            })
            .collect()
    }

    /// Documents that can be found.
    pub(crate) async fn count_documents(&self) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar(sql::COUNT_DOCUMENTS).fetch_one(&self.read).await
    }

    /// Passages that can be found.
    pub(crate) async fn count_passages(&self) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar(sql::COUNT_PASSAGES).fetch_one(&self.read).await
    }

    /// Writes all `changes` in one transaction.
    pub(crate) async fn apply(&self, changes: &[Change]) -> Result<(), sqlx::Error> {
        let mut tx = self.write.begin().await?;
        for change in changes {
            apply_one(&mut tx, change).await?;
        }
        tx.commit().await
    }

    /// Forgets documents.
    pub(crate) async fn remove(&self, paths: &[String]) -> Result<(), sqlx::Error> {
        let mut tx = self.write.begin().await?;
        for path in paths {
            delete(&mut tx, path).await?;
        }
        tx.commit().await
    }

    /// Marks copies whose original was removed or changed; returns how many must be read again.
    pub(crate) async fn mark_orphans(&self) -> Result<u64, sqlx::Error> {
        Ok(sqlx::query(sql::ORPHAN_COPIES).execute(&self.write).await?.rows_affected())
    }
}

async fn delete(tx: &mut SqliteConnection, path: &str) -> Result<(), sqlx::Error> {
    let id: Option<i64> = sqlx::query_scalar(sql::FIND_DOCUMENT).bind(path).fetch_optional(&mut *tx).await?;
    let Some(id) = id else { return Ok(()) };
    for statement in [sql::DELETE_FTS, sql::DELETE_PASSAGES, sql::DELETE_DOCUMENT] {
        sqlx::query(statement).bind(id).execute(&mut *tx).await?;
    }
    Ok(())
}

async fn apply_one(tx: &mut SqliteConnection, change: &Change) -> Result<(), sqlx::Error> {
    let entry = &change.entry;
    let (state, passages): (i64, &[Passage]) = match &change.outcome {
        Outcome::Unchanged => {
            sqlx::query(sql::TOUCH_DOCUMENT)
                .bind(&change.path)
                .bind(entry.size)
                .bind(entry.modified)
                .execute(&mut *tx)
                .await?;
            return Ok(());
        }
        Outcome::Indexed(passages) => (0, passages),
        Outcome::Copy(passages) => (1, passages),
        Outcome::Skipped => (2, &[]),
    };
    delete(tx, &change.path).await?;
    let id: i64 = sqlx::query_scalar(sql::INSERT_DOCUMENT)
        .bind(&change.path)
        .bind(&change.title)
        .bind(entry.size)
        .bind(entry.modified)
        .bind(&entry.hash[..])
        .bind(state)
        .fetch_one(&mut *tx)
        .await?;
    if passages.is_empty() {
        return Ok(());
    }
    let json = serde_json::to_string(passages).map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query(sql::INSERT_PASSAGES).bind(id).bind(json).execute(&mut *tx).await?;
    sqlx::query(sql::INSERT_FTS).bind(id).bind(&change.path).bind(&change.title).execute(&mut *tx).await?;
    Ok(())
}
