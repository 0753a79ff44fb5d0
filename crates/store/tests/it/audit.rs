use serde_json::json;
use syfthub_domain::UserId;
use syfthub_store::audit::{self, Actor, Entry, Outcome};

use crate::contract;
use crate::fixture::at;

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
        after: Some(json!({"role": "admin"})),
    }
}

contract! {
    async fn a_row_is_written_with_the_change_or_not_at_all(db: Db) {
        let mut tx = db.begin().await.unwrap();
        audit::record(&mut tx, &entry("user.promoted", "7", 1)).await.unwrap();
        tx.rollback().await.unwrap();
        let mut tx = db.begin().await.unwrap();
        audit::record(&mut tx, &entry("user.promoted", "a\0b", 1)).await.unwrap();
        tx.commit().await.unwrap();
    }
}
