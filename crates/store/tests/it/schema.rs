//! Both databases have the same tables, columns, constraints and indexes.

use std::collections::BTreeSet;

use sqlx::Row as _;
use syfthub_store::Db;

use crate::fixture::TestDb;

/// The rows of a query whose columns are all text, joined by blanks. `search_words` and what FTS5 keeps for it
/// exist on SQLite only.
async fn facts(db: &Db, postgres: &'static str, sqlite: &'static str) -> BTreeSet<String> {
    macro_rules! lines {
        ($sql:expr, $pool:expr) => {
            sqlx::query($sql)
                .fetch_all($pool)
                .await
                .unwrap()
                .iter()
                .map(|row| (0..row.len()).map(|n| row.get::<String, _>(n)).collect::<Vec<_>>().join(" "))
                .filter(|line| !line.starts_with("search_words"))
                .collect()
        };
    }
    match db {
        Db::Postgres(pool) => lines!(postgres, pool),
        Db::Sqlite { read, .. } => lines!(sqlite, read),
    }
}

/// Asserts that both databases answer alike, with at least so many rows.
async fn same(least: usize, postgres: &'static str, sqlite: &'static str) {
    let (small, large) = (TestDb::sqlite().await, TestDb::postgres().await);
    let ours = facts(&small.db, postgres, sqlite).await;
    let theirs = facts(&large.db, postgres, sqlite).await;
    assert!(ours.len() >= least, "the query found what it asks for: {ours:#?}");
    let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<Vec<_>>();
    assert_eq!(
        (only(&ours, &theirs), only(&theirs, &ours)),
        (vec![], vec![]),
        "(only SQLite, only PostgreSQL)"
    );
}

#[tokio::test]
async fn the_same_columns_that_may_be_null_or_not() {
    same(
        80,
        "SELECT table_name::text, column_name::text, CASE is_nullable WHEN 'YES' THEN 'null' ELSE 'not null' END \
         FROM information_schema.columns WHERE table_schema = 'public'",
        "SELECT m.name, c.name, CASE WHEN c.\"notnull\" OR c.pk > 0 THEN 'not null' ELSE 'null' END \
         FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'",
    )
    .await;
}

#[tokio::test]
async fn the_same_defaults_are_there() {
    same(
        15,
        "SELECT table_name::text, column_name::text FROM information_schema.columns \
         WHERE table_schema = 'public' AND column_default IS NOT NULL",
        "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c \
         WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND c.dflt_value IS NOT NULL",
    )
    .await;
}

/// Also what is unique is compared: SQLite's names are built from the columns, as the program builds them.
#[tokio::test]
async fn the_same_keys_and_indexes_over_the_same_columns() {
    same(
        30,
        "SELECT t.relname::text, \
           CASE WHEN x.indisprimary THEN 'primary' WHEN c.oid IS NOT NULL THEN i.relname::text \
                WHEN x.indisunique THEN 'unique ' || i.relname::text ELSE i.relname::text END, \
           (SELECT string_agg(a.attname::text || CASE x.indoption[k.n - 1] & 1 WHEN 1 THEN ' DESC' ELSE '' END, \
                              ',' ORDER BY k.n) \
            FROM unnest(x.indkey) WITH ORDINALITY AS k (attnum, n) \
            JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum) \
         FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid \
         LEFT JOIN pg_constraint c ON c.conindid = i.oid AND c.contype = 'u' \
         WHERE t.relnamespace = 'public'::regnamespace AND x.indexprs IS NULL AND i.relam <> \
           (SELECT oid FROM pg_am WHERE amname = 'gin')", // trigrams, which SQLite does not have
        "SELECT m.name, \
           CASE i.origin WHEN 'u' THEN m.name || '_' || (SELECT string_agg(name, '_' ORDER BY seqno) \
                                                         FROM pragma_index_info(i.name)) || '_key' \
                WHEN 'c' THEN CASE WHEN i.\"unique\" THEN 'unique ' ELSE '' END || i.name END, \
           (SELECT string_agg(name || CASE WHEN \"desc\" THEN ' DESC' ELSE '' END, ',' ORDER BY seqno) \
            FROM pragma_index_xinfo(i.name) WHERE \"key\" = 1) \
         FROM sqlite_master m JOIN pragma_index_list(m.name) i WHERE m.type = 'table' AND i.origin <> 'pk' \
         UNION ALL \
         SELECT m.name, 'primary', (SELECT string_agg(name, ',' ORDER BY pk) FROM pragma_table_info(m.name) WHERE pk > 0) \
         FROM sqlite_master m WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE 'search_words%'",
    )
    .await;
}

#[tokio::test]
async fn the_same_references_that_end_alike() {
    same(
        10,
        "SELECT c.conrelid::regclass::text, a.attname::text, c.confrelid::regclass::text, \
           CASE c.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'r' THEN 'RESTRICT' \
                WHEN 'd' THEN 'SET DEFAULT' ELSE 'NO ACTION' END \
         FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] \
         WHERE c.contype = 'f' AND c.connamespace = 'public'::regnamespace",
        "SELECT m.name, f.\"from\", f.\"table\", f.on_delete \
         FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'",
    )
    .await;
}

/// SQLite does not list its constraints, so their names are read from the statements that made the tables.
/// Primary keys are left out: the integer ones of SQLite have no name.
#[tokio::test]
async fn the_same_names_of_constraints() {
    let (small, large) = (TestDb::sqlite().await, TestDb::postgres().await);
    let statements = facts(
        &small.db,
        "",
        "SELECT sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND sql LIKE '%CONSTRAINT%'",
    )
    .await;
    let ours: BTreeSet<String> = statements
        .iter()
        .flat_map(|sql| sql.split("CONSTRAINT ").skip(1))
        .filter_map(|rest| rest.split_whitespace().next())
        .filter(|name| !name.ends_with("_pkey"))
        .map(str::to_owned)
        .collect();
    // Keys of several columns are primary keys with the name of a unique constraint.
    let theirs = facts(
        &large.db,
        "SELECT conname::text FROM pg_constraint WHERE connamespace = 'public'::regnamespace \
         AND contype IN ('p', 'u', 'c', 'f') AND conname NOT LIKE '%\\_pkey'",
        "",
    )
    .await;
    assert!(ours.len() >= 25, "{ours:#?}");
    assert_eq!(ours, theirs);
}

#[tokio::test]
async fn every_sqlite_table_is_strict() {
    let test = TestDb::sqlite().await;
    let Db::Sqlite { read, .. } = &test.db else { unreachable!("a SQLite database") };
    let loose: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND strict = 0 \
         AND name NOT LIKE 'sqlite_%'",
    )
    .fetch_all(read)
    .await
    .unwrap();
    assert!(loose.is_empty(), "{loose:?}");
}
