//! The schema: embedded migrations, applied in order under a lock, all or none.
//!
//! Own code instead of sqlx's migrator because that one takes no lock on SQLite, where two processes
//! may start on the same new file.

use sqlx::{Postgres, Sqlite};
use syfthub_domain::{Clock as _, SystemClock};

use crate::column::{SqlTime, row};
use crate::db::{affected, on};
use crate::{Conn, Db, Dialect, Error, Reads as _, Result, Tx};

include!(concat!(env!("OUT_DIR"), "/migration_list.rs"));

/// One step of the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// Its place in the order, from the file name.
    pub version: i64,
    /// What it is about, from the file name.
    pub name: &'static str,
    /// Its statements.
    pub sql: &'static str,
}

impl Migration {
    /// FNV-1a over the text. It notices an edited file; it is no defence against anybody.
    fn checksum(&self) -> String {
        let hash = self.sql.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        format!("{hash:016x}")
    }
}

row! {
    /// A migration that was applied.
    #[derive(Debug)]
    struct Applied {
        version: i64,
        name: String,
        checksum: String,
    }
}

/// Every migration of a dialect, in order.
pub const fn embedded(dialect: Dialect) -> &'static [Migration] {
    match dialect {
        Dialect::Postgres => POSTGRES,
        Dialect::Sqlite => SQLITE,
    }
}

/// Any number that nothing else in the product locks on.
const LOCK: &str =
    "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock(839200)";
const CREATE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (version BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at timestamptz NOT NULL)";
const CREATE_SQLITE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at TEXT NOT NULL) STRICT";
const EXISTS: crate::db::Sql = crate::db::Sql {
    postgres: "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = 'schema_migrations'",
    sqlite: "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'",
};

impl Db {
    /// Applies what is missing, in one transaction and under a lock, so that services that start at the
    /// same time wait for each other. Gives what was applied.
    pub async fn migrate(&self) -> Result<Vec<Migration>> {
        let mut tx = self.begin().await?;
        prepare(&mut tx).await?;
        let pending = pending(&mut tx, self.dialect()).await?;
        for migration in &pending {
            apply(&mut tx, migration).await?;
        }
        tx.commit().await?;
        Ok(pending)
    }

    /// What [`Db::migrate`] would apply. Writes nothing.
    pub async fn pending_migrations(&self) -> Result<Vec<Migration>> {
        let mut conn = self.source().conn().await?;
        let sql = EXISTS.pick(&conn);
        let exists: i64 = match &mut conn {
            Conn::Postgres(held) => sqlx::query_scalar::<Postgres, _>(sql).fetch_one(&mut **held).await?,
            Conn::Sqlite(held) => sqlx::query_scalar::<Sqlite, _>(sql).fetch_one(&mut **held).await?,
        };
        if exists == 0 {
            return Ok(embedded(self.dialect()).to_vec());
        }
        missing(embedded(self.dialect()), &applied(conn).await?)
    }
}

async fn prepare(tx: &mut Tx) -> Result<()> {
    match tx {
        Tx::Postgres(conn) => {
            sqlx::raw_sql(LOCK).execute(&mut **conn).await?;
            sqlx::raw_sql(CREATE).execute(&mut **conn).await?;
        }
        Tx::Sqlite(conn) => {
            sqlx::raw_sql(CREATE_SQLITE).execute(&mut **conn).await?;
        }
    }
    Ok(())
}

async fn pending(tx: &mut Tx, dialect: Dialect) -> Result<Vec<Migration>> {
    missing(embedded(dialect), &applied(tx.held()).await?)
}

async fn applied(conn: Conn<'_>) -> Result<Vec<Applied>> {
    const SQL: &str = "SELECT version, name, checksum FROM schema_migrations ORDER BY version";
    on!(conn, c => sqlx::query_as::<_, Applied>(SQL).fetch_all(c))
}

/// What of `all` is not in `applied`; an error when the database is not one of this program's past.
fn missing(all: &[Migration], applied: &[Applied]) -> Result<Vec<Migration>> {
    for done in applied {
        match all.iter().find(|migration| migration.version == done.version) {
            None => {
                return Err(Error::Schema(format!(
                    "the database was migrated by a newer version of the hub (it has {:04}_{}); start that version, or restore a backup from before",
                    done.version, done.name
                )));
            }
            Some(known) if known.checksum() != done.checksum => {
                return Err(Error::Schema(format!(
                    "migration {:04}_{} differs from the one that was applied to this database; an applied migration is never edited, add a new one",
                    done.version, done.name
                )));
            }
            Some(_) => {}
        }
    }
    Ok(all.iter().filter(|m| applied.iter().all(|done| done.version != m.version)).copied().collect())
}

async fn apply(tx: &mut Tx, migration: &Migration) -> Result<()> {
    const RECORD: &str =
        "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)";
    match tx {
        Tx::Postgres(conn) => sqlx::raw_sql(migration.sql).execute(&mut **conn).await.map(drop)?,
        Tx::Sqlite(conn) => sqlx::raw_sql(migration.sql).execute(&mut **conn).await.map(drop)?,
    }
    // The one time that is not a caller's: when an operator ran the program.
    let now = SqlTime(SystemClock.now());
    affected!(
        tx.held(),
        sqlx::query(RECORD).bind(migration.version).bind(migration.name).bind(migration.checksum()).bind(now)
    )?;
    tracing::info!(version = migration.version, name = migration.name, "store.migration.applied");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Migration = Migration { version: 1, name: "one", sql: "SELECT 1" };

    fn applied(version: i64, checksum: String) -> Applied {
        Applied { version, name: "one".to_owned(), checksum }
    }

    #[test]
    fn both_dialects_have_the_same_steps() {
        let steps = |dialect| embedded(dialect).iter().map(|m| (m.version, m.name)).collect::<Vec<_>>();
        assert_eq!(steps(Dialect::Postgres), steps(Dialect::Sqlite));
        assert!(!steps(Dialect::Sqlite).is_empty());
        assert!(steps(Dialect::Sqlite).windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn an_edited_or_unknown_migration_is_refused() {
        assert!(missing(&[ONE], &[applied(1, ONE.checksum())]).unwrap().is_empty());
        let edited = missing(&[ONE], &[applied(1, "other".to_owned())]).unwrap_err();
        assert!(edited.to_string().contains("never edited"));
        let newer = missing(&[ONE], &[applied(2, String::new())]).unwrap_err();
        assert!(newer.to_string().contains("newer version"));
    }
}
