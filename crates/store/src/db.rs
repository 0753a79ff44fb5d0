//! The database: two pools behind one enum, transactions, and the macros that write a query once.

use std::ops::{Deref, DerefMut};

use sqlx::pool::PoolConnection;
use sqlx::{Database, PgPool, Postgres, Sqlite, SqlitePool, Transaction};

use crate::{Error, Result};

/// Which database answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// PostgreSQL 15 or later.
    Postgres,
    /// SQLite, built into the program.
    Sqlite,
}

impl Dialect {
    /// `postgresql` or `sqlite`, as shown to operators.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgresql",
            Self::Sqlite => "sqlite",
        }
    }
}

/// The database. A clone is a handle to the same pools.
#[derive(Debug, Clone)]
pub enum Db {
    /// One pool for everything.
    Postgres(PgPool),
    /// SQLite has one writer at a time, so writes queue for one connection and never for the file.
    Sqlite {
        /// Connections that cannot write.
        read: SqlitePool,
        /// The one connection that can.
        write: SqlitePool,
    },
}

impl Db {
    /// Which database this is.
    pub const fn dialect(&self) -> Dialect {
        match self {
            Self::Postgres(_) => Dialect::Postgres,
            Self::Sqlite { .. } => Dialect::Sqlite,
        }
    }

    /// Begins a change. On SQLite it holds the only write connection (`BEGIN IMMEDIATE`), so it must
    /// be short and must not begin another one. Dropped without [`Tx::commit`], it is rolled back.
    pub async fn begin(&self) -> Result<Tx> {
        match self {
            Self::Postgres(pool) => Ok(Tx::Postgres(pool.begin().await?)),
            // A deferred transaction that reads and then writes fails at once when another process
            // wrote in between, whatever the busy timeout says.
            Self::Sqlite { write, .. } => Ok(Tx::Sqlite(write.begin_with("BEGIN IMMEDIATE").await?)),
        }
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        on!(self.source().conn().await?, c => sqlx::query_scalar::<_, i64>("SELECT CAST(1 AS BIGINT)").fetch_one(c))?;
        Ok(())
    }

    /// Waits for borrowed connections and closes all of them.
    pub async fn close(&self) {
        match self {
            Self::Postgres(pool) => pool.close().await,
            Self::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
        }
    }
}

/// A change in progress.
#[derive(Debug)]
pub enum Tx {
    /// On PostgreSQL.
    Postgres(Transaction<'static, Postgres>),
    /// On SQLite.
    Sqlite(Transaction<'static, Sqlite>),
}

impl Tx {
    /// Makes the change durable and visible.
    pub async fn commit(self) -> Result<()> {
        match self {
            Self::Postgres(tx) => tx.commit().await,
            Self::Sqlite(tx) => tx.commit().await,
        }
        .map_err(Error::from)
    }

    /// Forgets the change at once (dropping does the same a little later).
    pub async fn rollback(self) -> Result<()> {
        match self {
            Self::Postgres(tx) => tx.rollback().await,
            Self::Sqlite(tx) => tx.rollback().await,
        }
        .map_err(Error::from)
    }

    /// The connection of the change.
    pub(crate) fn held(&mut self) -> Conn<'_> {
        match self {
            Self::Postgres(tx) => Conn::Postgres(Held::Borrowed(&mut **tx)),
            Self::Sqlite(tx) => Conn::Sqlite(Held::Borrowed(&mut **tx)),
        }
    }
}

/// A connection that a query runs on.
#[derive(Debug)]
pub enum Conn<'a> {
    /// To PostgreSQL.
    Postgres(Held<'a, Postgres>),
    /// To SQLite.
    Sqlite(Held<'a, Sqlite>),
}

/// A connection out of a pool, or the one of a change.
pub enum Held<'a, D: Database> {
    /// Goes back to its pool when dropped.
    Pooled(PoolConnection<D>),
    /// Belongs to a change.
    Borrowed(&'a mut D::Connection),
}

impl<D: Database> std::fmt::Debug for Held<'_, D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pooled(_) => "Pooled",
            Self::Borrowed(_) => "Borrowed",
        })
    }
}

impl<D: Database> Deref for Held<'_, D> {
    type Target = D::Connection;

    fn deref(&self) -> &D::Connection {
        match self {
            Self::Pooled(conn) => conn,
            Self::Borrowed(conn) => conn,
        }
    }
}

impl<D: Database> DerefMut for Held<'_, D> {
    fn deref_mut(&mut self) -> &mut D::Connection {
        match self {
            Self::Pooled(conn) => conn,
            Self::Borrowed(conn) => conn,
        }
    }
}

/// Where a read may run: `&Db` (a connection out of the pool) or `&mut Tx` (sees the change's own rows).
/// A `tx: &mut Tx` is passed on as `&mut *tx`.
// No lifetime parameter and no async function: with either, the compiler cannot show that a future which
// holds a generic reader is `Send`, and every handler needs that.
pub trait Reads: Send {
    /// What to read from.
    fn source<'a>(self) -> Source<'a>
    where
        Self: 'a;
}

impl Reads for &Db {
    fn source<'a>(self) -> Source<'a>
    where
        Self: 'a,
    {
        Source::Db(self)
    }
}

impl Reads for &mut Tx {
    fn source<'a>(self) -> Source<'a>
    where
        Self: 'a,
    {
        Source::Tx(self)
    }
}

/// What a read is given.
#[derive(Debug)]
pub enum Source<'a> {
    /// The pool.
    Db(&'a Db),
    /// A change.
    Tx(&'a mut Tx),
}

impl<'a> Source<'a> {
    /// The connection to read on.
    pub(crate) async fn conn(self) -> Result<Conn<'a>> {
        match self {
            Self::Db(Db::Postgres(pool)) => Ok(Conn::Postgres(Held::Pooled(pool.acquire().await?))),
            Self::Db(Db::Sqlite { read, .. }) => Ok(Conn::Sqlite(Held::Pooled(read.acquire().await?))),
            Self::Tx(tx) => Ok(tx.held()),
        }
    }
}

/// One statement in the words of each database, for the few that cannot be shared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sql {
    pub(crate) postgres: &'static str,
    pub(crate) sqlite: &'static str,
}

impl Sql {
    /// The text for the database behind `conn`.
    pub(crate) const fn pick(self, conn: &Conn<'_>) -> &'static str {
        match conn {
            Conn::Postgres(_) => self.postgres,
            Conn::Sqlite(_) => self.sqlite,
        }
    }
}

/// Runs one query body on whichever database `conn` leads to; gives `store::Result`.
macro_rules! on {
    ($conn:expr, $c:ident => $body:expr) => {
        match $conn {
            $crate::db::Conn::Postgres(mut held) => {
                let $c = &mut *held;
                $body.await.map_err($crate::Error::from)
            }
            $crate::db::Conn::Sqlite(mut held) => {
                let $c = &mut *held;
                $body.await.map_err($crate::Error::from)
            }
        }
    };
}

/// The same for statements that return no rows; gives the number of rows they touched.
macro_rules! affected {
    ($conn:expr, $query:expr) => {
        match $conn {
            $crate::db::Conn::Postgres(mut held) => {
                $query.execute(&mut *held).await.map(|done| done.rows_affected()).map_err($crate::Error::from)
            }
            $crate::db::Conn::Sqlite(mut held) => {
                $query.execute(&mut *held).await.map(|done| done.rows_affected()).map_err($crate::Error::from)
            }
        }
    };
}

pub(crate) use {affected, on};
