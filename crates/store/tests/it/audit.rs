use serde_json::json;
use syfthub_domain::UserId;
use syfthub_store::Db;
use syfthub_store::audit::{self, Actor, AuditRow, Cursor, Entry, Filter, Outcome, Report, Turn};

use crate::contract;
use crate::fixture::{TestDb, at, execute};

fn entry(action: &'static str, target: &str, when: u64) -> Entry {
    Entry {
        at: at(when),
        actor: Actor {
            user_id: Some(UserId(7)),
            name: "ada".to_owned(),
            address: Some("192.0.2.1".to_owned()),
            correlation_id: Some("c-1".to_owned()),
        },
        action,
        target_kind: "user",
        target: target.to_owned(),
        outcome: Outcome::Success,
        before: None,
        after: Some(json!({"role": "admin", "password": "hunter2"})),
    }
}

async fn write(db: &Db, entry: &Entry) {
    let mut tx = db.begin().await.unwrap();
    audit::record(&mut tx, entry).await.unwrap();
    tx.commit().await.unwrap();
}

async fn seal(db: &Db, when: u64) -> Option<i64> {
    let mut tx = db.begin().await.unwrap();
    let sealed = audit::seal(&mut tx, Turn::Wait, at(when)).await.unwrap();
    tx.commit().await.unwrap();
    sealed.map(|seal| seal.number)
}

async fn rows(db: &Db, filter: &Filter) -> Vec<AuditRow> {
    audit::list(db, filter, None, 100).await.unwrap()
}

async fn verify(db: &Db) -> Report {
    audit::verify(db, None).await.unwrap()
}

/// Three seals of two rows each, made at 10, 20 and 30 seconds.
async fn three_seals(db: &Db) {
    for n in 1..=3 {
        write(db, &entry("user.promoted", &format!("{n}a"), n * 10 - 2)).await;
        write(db, &entry("user.promoted", &format!("{n}b"), n * 10 - 1)).await;
        assert_eq!(seal(db, n * 10).await, Some(i64::try_from(n).unwrap()));
    }
}

/// Takes the triggers away that keep honest programs honest.
async fn break_in(db: &Db) {
    match db {
        Db::Postgres(_) => {
            execute(db, "ALTER TABLE audit_log DISABLE TRIGGER ALL").await;
            execute(db, "ALTER TABLE audit_seals DISABLE TRIGGER ALL").await;
        }
        Db::Sqlite { .. } => {
            execute(db, "DROP TRIGGER audit_log_no_change").await;
            execute(db, "DROP TRIGGER audit_log_no_delete").await;
            execute(db, "DROP TRIGGER audit_seals_no_change").await;
            execute(db, "DROP TRIGGER audit_seals_no_delete").await;
        }
    }
}

async fn refused(db: &Db, sql: &'static str) {
    let done = match db {
        Db::Postgres(pool) => sqlx::query(sql).execute(pool).await.map(drop),
        Db::Sqlite { write, .. } => sqlx::query(sql).execute(write).await.map(drop),
    };
    let why = done.map_err(|why| why.to_string()).unwrap_err();
    assert!(why.contains("append-only"), "{sql}: {why}");
}

contract! {
    async fn a_row_is_written_with_the_change_or_not_at_all(db: Db) {
        let mut tx = db.begin().await.unwrap();
        audit::record(&mut tx, &entry("user.promoted", "7", 1)).await.unwrap();
        tx.rollback().await.unwrap();
        assert!(rows(&db, &Filter::default()).await.is_empty());
        write(&db, &entry("user.promoted", "a\0b", 1)).await;
        let all = rows(&db, &Filter::default()).await;
        let row = &all[0];
        assert_eq!((row.occurred_at, row.actor_id, row.target.as_str()), (at(1), Some(7), "a\u{fffd}b"));
        let after: serde_json::Value = serde_json::from_str(row.after_json.as_deref().unwrap()).unwrap();
        assert_eq!(after, json!({"role": "admin", "password": "[REDACTED]"}));
        assert_eq!((row.outcome.as_str(), row.seal_number), ("success", None));
    }

    async fn pages_follow_one_another_newest_first(db: Db) {
        for n in 0..7 {
            write(&db, &entry("user.promoted", &n.to_string(), n / 2)).await;
        }
        let all = rows(&db, &Filter::default()).await;
        let (mut paged, mut cursor) = (Vec::new(), None);
        loop {
            let page = audit::list(&db, &Filter::default(), cursor.as_ref(), 3).await.unwrap();
            let Some(last) = page.last() else { break };
            cursor = Some(Cursor { occurred_at: last.occurred_at, id: last.id.clone() });
            paged.extend(page);
        }
        assert_eq!(paged, all);
        assert!(all.windows(2).all(|pair| pair[0].occurred_at >= pair[1].occurred_at));
    }

    async fn filters_narrow_the_list(db: Db) {
        write(&db, &entry("user.promoted", "1", 1)).await;
        write(&db, &entry("user.demoted", "1", 2)).await;
        let mut other = entry("user.demoted", "2", 3);
        "bob".clone_into(&mut other.actor.name);
        write(&db, &other).await;
        let count = async |filter: Filter| rows(&db, &filter).await.len();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(count(Filter { actor: text("ada"), ..Filter::default() }).await, 2);
        assert_eq!(count(Filter { action: text("user.demoted"), ..Filter::default() }).await, 2);
        assert_eq!(count(Filter { actor: text("ada"), action: text("user.demoted"), ..Filter::default() }).await, 1);
        assert_eq!(count(Filter { target_kind: text("user"), target: text("1"), ..Filter::default() }).await, 2);
        assert_eq!(count(Filter { target: text("2"), ..Filter::default() }).await, 1);
        assert_eq!(count(Filter { since: Some(at(2)), until: Some(at(3)), ..Filter::default() }).await, 1);
    }

    async fn the_database_refuses_to_change_the_log(db: Db) {
        three_seals(&db).await;
        write(&db, &entry("user.promoted", "new", 40)).await;
        for sql in [
            "UPDATE audit_log SET target = 'x' WHERE target = '1a'",
            "UPDATE audit_log SET target = 'x' WHERE target = 'new'",
            "UPDATE audit_log SET target = 'x', seal_number = 9, seal_position = 0, row_hash = 'x' WHERE target = 'new'",
            "UPDATE audit_log SET seal_number = NULL WHERE target = '1a'",
            "DELETE FROM audit_log WHERE target = '1a'",
            "DELETE FROM audit_log WHERE target = 'new'",
            "UPDATE audit_seals SET hash = 'x' WHERE number = 1",
            "DELETE FROM audit_seals WHERE number = 3",
        ] {
            refused(&db, sql).await;
        }
        if let Db::Postgres(_) = db {
            refused(&db, "TRUNCATE audit_log").await;
        }
        assert_eq!(verify(&db).await.fault, None);
    }

    async fn an_untouched_log_is_good(db: Db) {
        assert_eq!(verify(&db).await, Report::default());
        three_seals(&db).await;
        assert_eq!(seal(&db, 31).await, None);
        write(&db, &entry("user.promoted", "late", 1)).await;
        let report = verify(&db).await;
        assert_eq!((report.seals, report.rows, report.unsealed, report.fault), (3, 6, 1, None));
        let head = report.head.unwrap();
        assert_eq!(head.0, 3);
        assert_eq!(audit::verify(&db, Some(&head.1)).await.unwrap().met, Some(true));
        assert!(audit::verify(&db, Some("0000")).await.unwrap().fault.unwrap().reason.contains("cut off"));
    }

    async fn a_changed_row_is_named(db: Db) {
        three_seals(&db).await;
        let row = rows(&db, &Filter { target: Some("2b".to_owned()), ..Filter::default() }).await[0].id.clone();
        break_in(&db).await;
        execute(&db, "UPDATE audit_log SET actor_name = 'eve' WHERE target = '2b'").await;
        let fault = verify(&db).await.fault.unwrap();
        assert_eq!((fault.seal, fault.row), (Some(2), Some(row)));
    }

    async fn a_row_that_is_changed_with_its_hash_gives_its_seal_away(db: Db) {
        three_seals(&db).await;
        break_in(&db).await;
        execute(&db, "UPDATE audit_log SET row_hash = (SELECT row_hash FROM audit_log WHERE target = '1a'), \
            id = 'x' WHERE target = '2b'").await;
        assert_eq!(verify(&db).await.fault.unwrap().seal, Some(2));
    }

    async fn removed_rows_and_seals_are_noticed(db: Db) {
        three_seals(&db).await;
        let row = rows(&db, &Filter { target: Some("2b".to_owned()), ..Filter::default() }).await[0].id.clone();
        break_in(&db).await;
        execute(&db, "DELETE FROM audit_log WHERE target = '2b'").await;
        let fault = verify(&db).await.fault.unwrap();
        assert_eq!((fault.seal, fault.row), (Some(2), Some(row)));
        execute(&db, "DELETE FROM audit_log WHERE seal_number = 2").await;
        execute(&db, "DELETE FROM audit_seals WHERE number = 2").await;
        let fault = verify(&db).await.fault.unwrap();
        assert!(fault.seal == Some(3) && fault.reason.contains("seal 2 is missing"), "{fault:?}");
        execute(&db, "DELETE FROM audit_seals WHERE number = 3").await;
        assert!(verify(&db).await.fault.unwrap().reason.contains("does not exist"));
        execute(&db, "DELETE FROM audit_log WHERE seal_number = 3").await;
        // Cutting off the end leaves a good chain: only somebody who kept a later hash can tell.
        assert_eq!(verify(&db).await.fault, None);
    }

    async fn a_row_put_into_a_seal_is_noticed(db: Db) {
        three_seals(&db).await;
        write(&db, &entry("user.promoted", "new", 40)).await;
        break_in(&db).await;
        execute(&db, "UPDATE audit_log SET seal_number = 1, seal_position = 2, row_hash = 'x' WHERE target = 'new'").await;
        assert_eq!(verify(&db).await.fault.unwrap().seal, Some(1));
    }

    async fn pruning_takes_whole_seals_and_the_rest_stays_good(db: Db) {
        three_seals(&db).await;
        let mut tx = db.begin().await.unwrap();
        assert_eq!(audit::prune(&mut tx, Turn::Wait, at(10), at(100)).await.unwrap(), None);
        let pruned = audit::prune(&mut tx, Turn::Wait, at(25), at(100)).await.unwrap().unwrap();
        assert_eq!((pruned.checkpoint, pruned.rows), (2, 4));
        assert_eq!(audit::prune(&mut tx, Turn::Wait, at(25), at(100)).await.unwrap(), None);
        tx.commit().await.unwrap();
        let report = verify(&db).await;
        assert_eq!((report.seals, report.checkpoint, report.unsealed, report.fault), (1, Some(2), 1, None));
        assert_eq!(seal(&db, 101).await, Some(4));
        assert_eq!(verify(&db).await.fault, None);

        let mut tx = db.begin().await.unwrap();
        let pruned = audit::prune(&mut tx, Turn::Wait, at(500), at(500)).await.unwrap().unwrap();
        assert_eq!(pruned.checkpoint, 4);
        tx.commit().await.unwrap();
        assert_eq!(verify(&db).await.fault, None, "everything was pruned");
        assert_eq!(seal(&db, 501).await, Some(5));
        let report = verify(&db).await;
        assert_eq!((report.seals, report.checkpoint, report.fault), (1, Some(4), None));
    }

    async fn rows_removed_by_a_forged_checkpoint_are_noticed(db: Db) {
        three_seals(&db).await;
        match db {
            Db::Postgres(_) => execute(&db, "UPDATE audit_seals SET pruned_at = sealed_at WHERE number = 2").await,
            Db::Sqlite { .. } => execute(&db, "UPDATE audit_seals SET pruned_at = '2026-01-01 00:00:00.000000' WHERE number = 2").await,
        }
        execute(&db, "DELETE FROM audit_log WHERE seal_number <= 2").await;
        execute(&db, "DELETE FROM audit_seals WHERE number < 2").await;
        let fault = verify(&db).await.fault.unwrap();
        assert!(fault.seal == Some(2) && fault.reason.contains("no entry says"), "{fault:?}");
    }
}

/// A change that commits late holds an older id than rows that were sealed before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_commits_late_is_sealed_late_on_postgres() {
    let test = TestDb::postgres().await;
    let db = &test.db;
    let mut late = db.begin().await.unwrap();
    audit::record(&mut late, &entry("user.promoted", "late", 1)).await.unwrap();
    write(db, &entry("user.promoted", "early", 2)).await;
    assert_eq!(seal(db, 3).await, Some(1));
    late.commit().await.unwrap();
    assert_eq!(seal(db, 4).await, Some(2));
    let sealed = rows(db, &Filter::default()).await;
    let of = |target: &str| sealed.iter().find(|row| row.target == target).unwrap();
    assert!(of("late").id < of("early").id);
    assert_eq!((of("early").seal_number, of("late").seal_number), (Some(1), Some(2)));
    assert_eq!(verify(db).await.fault, None);
}

/// Many writers and two sealers at the same time: every row gets one seal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sealers_and_writers_do_not_get_in_each_others_way_on_postgres() {
    let test = TestDb::postgres().await;
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..4 {
        let db = test.db.clone();
        tasks.spawn(async move {
            for n in 0..25 {
                write(&db, &entry("user.promoted", &format!("{writer}-{n}"), n)).await;
            }
        });
    }
    for _ in 0..2 {
        let db = test.db.clone();
        tasks.spawn(async move {
            for n in 0..20 {
                let mut tx = db.begin().await.unwrap();
                audit::seal(&mut tx, Turn::Yield, at(n)).await.unwrap();
                tx.commit().await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    while seal(&test.db, 99).await.is_some() {}
    let report = verify(&test.db).await;
    assert_eq!((report.rows, report.unsealed, report.fault), (100, 0, None));
}
