//! The schema: embedded migrations, applied in order under a lock, all or none.
//!
//! Own code instead of sqlx's migrator because that one takes no lock on SQLite, where two processes
//! may start on the same new file.

use sqlx::{Postgres, Sqlite};
use syfthub_domain::{Clock as _, SystemClock};

use crate::column::{SqlTime, row};
use crate::db::{Sql, affected, on};
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

impl std::fmt::Display for Migration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}_{}", self.version, self.name)
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
const CREATE: Sql = Sql {
    postgres: "CREATE TABLE schema_migrations (version BIGINT PRIMARY KEY, name TEXT NOT NULL, \
        checksum TEXT NOT NULL, applied_at TIMESTAMPTZ NOT NULL)",
    sqlite: "CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, \
        checksum TEXT NOT NULL, applied_at TEXT NOT NULL) STRICT",
};
const EXISTS: Sql = Sql {
    postgres: "SELECT COUNT(*) FROM pg_class WHERE oid = to_regclass('schema_migrations')",
    sqlite: "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'",
};

/// Names of migrations that take away what the version before still used begin so.
const CONTRACTING: &str = "contract_";

impl Db {
    /// Applies what is missing, in one transaction and under a lock, so that services that start at the
    /// same time wait for each other. Gives what was applied. When nothing is missing it writes nothing, so
    /// that a role which may not create tables can start.
    pub async fn migrate(&self) -> Result<Vec<Migration>> {
        let all = embedded(self.dialect());
        let seen = applied(self.source().conn().await?).await?;
        if let Some(seen) = &seen
            && missing(all, seen)?.is_empty()
        {
            if let Some(newest) = seen.last().filter(|newest| is_newer(all, newest)) {
                tracing::warn!(version = newest.version, name = newest.name, "store.migration.newer");
            }
            return Ok(Vec::new());
        }
        let mut tx = self.begin().await?;
        if let Tx::Postgres(conn) = &mut tx {
            sqlx::raw_sql(LOCK).execute(&mut **conn).await?;
        }
        // Read again: another process may have migrated while this one waited for the lock.
        let seen = applied(tx.held()).await?;
        if seen.is_none() {
            let create = CREATE.pick(&tx.held());
            run(&mut tx, create).await?;
        }
        let pending = missing(all, &seen.unwrap_or_default())?;
        for migration in &pending {
            apply(&mut tx, migration).await?;
        }
        tx.commit().await?;
        Ok(pending)
    }

    /// What [`Db::migrate`] would apply. Writes nothing.
    pub async fn pending_migrations(&self) -> Result<Vec<Migration>> {
        let all = embedded(self.dialect());
        match applied(self.source().conn().await?).await? {
            Some(applied) => missing(all, &applied),
            None => Ok(all.to_vec()),
        }
    }
}

/// What was applied, in order; `None` in a database that was never migrated.
async fn applied(mut conn: Conn<'_>) -> Result<Option<Vec<Applied>>> {
    const SQL: &str = "SELECT version, name, checksum FROM schema_migrations ORDER BY version";
    let sql = EXISTS.pick(&conn);
    let exists: i64 = match &mut conn {
        Conn::Postgres(held) => sqlx::query_scalar::<Postgres, _>(sql).fetch_one(&mut **held).await?,
        Conn::Sqlite(held) => sqlx::query_scalar::<Sqlite, _>(sql).fetch_one(&mut **held).await?,
    };
    if exists == 0 {
        return Ok(None);
    }
    on!(conn, c => sqlx::query_as::<_, Applied>(SQL).fetch_all(c)).map(Some)
}

/// Whether it comes after everything that this program knows.
fn is_newer(all: &[Migration], done: &Applied) -> bool {
    all.iter().all(|migration| migration.version < done.version)
}

/// What of `all` is not in `applied`; an error when this program cannot work with the database. One that a
/// newer version has expanded is good: during an update replicas of both versions run side by side.
fn missing(all: &[Migration], applied: &[Applied]) -> Result<Vec<Migration>> {
    for done in applied {
        match all.iter().find(|migration| migration.version == done.version) {
            None if is_newer(all, done) && !done.name.starts_with(CONTRACTING) => {}
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
    let todo: Vec<Migration> =
        all.iter().filter(|m| applied.iter().all(|done| done.version != m.version)).copied().collect();
    // A newer version would have applied these first, so the database has another past than this program.
    if let (Some(first), Some(newer)) = (todo.first(), applied.iter().find(|done| is_newer(all, done))) {
        return Err(Error::Schema(format!(
            "the database has {:04}_{} but not {first}, so it belongs to another version of the hub; start that version, or restore a backup from before",
            newer.version, newer.name
        )));
    }
    Ok(todo)
}

async fn run(tx: &mut Tx, sql: &'static str) -> Result<()> {
    match tx {
        Tx::Postgres(conn) => sqlx::raw_sql(sql).execute(&mut **conn).await.map(drop)?,
        Tx::Sqlite(conn) => sqlx::raw_sql(sql).execute(&mut **conn).await.map(drop)?,
    }
    Ok(())
}

async fn apply(tx: &mut Tx, migration: &Migration) -> Result<()> {
    const RECORD: &str =
        "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)";
    run(tx, migration.sql).await?;
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

    fn applied(version: i64, name: &str, checksum: String) -> Applied {
        Applied { version, name: name.to_owned(), checksum }
    }

    #[test]
    fn both_dialects_have_the_same_steps() {
        let steps = |dialect| embedded(dialect).iter().map(|m| (m.version, m.name)).collect::<Vec<_>>();
        assert_eq!(steps(Dialect::Postgres), steps(Dialect::Sqlite));
        assert!(!steps(Dialect::Sqlite).is_empty());
        assert!(steps(Dialect::Sqlite).windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn an_edited_migration_is_refused() {
        assert!(missing(&[ONE], &[applied(1, "one", ONE.checksum())]).unwrap().is_empty());
        let edited = missing(&[ONE], &[applied(1, "one", "other".to_owned())]).unwrap_err();
        assert!(edited.to_string().contains("never edited"));
    }

    #[test]
    fn a_database_that_a_newer_version_expanded_is_good_and_a_contracted_one_is_refused() {
        let with = |version, name: &str| {
            missing(&[ONE], &[applied(1, "one", ONE.checksum()), applied(version, name, String::new())])
        };
        assert!(with(2, "add_stars").unwrap().is_empty());
        assert!(with(2, "contract_stars").unwrap_err().to_string().contains("newer version"));
        assert!(with(0, "add_stars").is_err(), "it is not newer");
    }

    #[test]
    fn a_database_with_another_past_is_refused() {
        let other = missing(&[ONE], &[applied(2, "add_stars", String::new())]).unwrap_err();
        assert!(other.to_string().contains("but not 0001_one"), "{other}");
    }
}
