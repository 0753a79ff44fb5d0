use serde_json::json;
use syfthub_domain::UserId;
use syfthub_store::error_logs::{self, ErrorLogFilter, NewErrorLog};
use syfthub_store::{Db, Page, users};

use crate::contract;
use crate::fixture::{add_user, at};

fn fault(correlation_id: &str, service: &str, event: &str, when: u64) -> NewErrorLog {
    NewErrorLog {
        correlation_id: correlation_id.to_owned(),
        timestamp: Some(at(when)),
        service: service.to_owned(),
        level: "ERROR".to_owned(),
        event: event.to_owned(),
        ..NewErrorLog::default()
    }
}

async fn write(db: &Db, rows: &[NewErrorLog]) {
    let mut tx = db.begin().await.unwrap();
    error_logs::insert(&mut tx, rows, at(1000)).await.unwrap();
    tx.commit().await.unwrap();
}

contract! {
    async fn a_row_is_read_back_as_it_was_written(db: Db) {
        let user = add_user(&db, "alice").await.id;
        let new = NewErrorLog {
            message: Some("It broke".to_owned()),
            user_id: Some(user),
            endpoint: Some("/api/v1/x".to_owned()),
            method: Some("GET".to_owned()),
            error_type: Some("TypeError".to_owned()),
            error_code: Some("INTERNAL_ERROR".to_owned()),
            stack_trace: Some("a\nb".to_owned()),
            context: Some(json!({"z": 1, "a": {"y": "é"}})),
            request_data: Some(json!([1])),
            response_data: Some(json!("text")),
            ..fault("c-1", "backend", "error.unhandled", 5)
        };
        write(&db, &[new, NewErrorLog { user_id: Some(UserId(999)), timestamp: None, ..fault("c-2", "backend", "x", 0) }]).await;
        let rows = error_logs::list(&db, &ErrorLogFilter::default(), Page::default()).await.unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].user_id, rows[0].timestamp), (None, at(1000)), "an account that is gone is left out");
        let row = error_logs::find(&db, rows[1].id).await.unwrap().unwrap();
        assert_eq!(row, rows[1]);
        assert_eq!((row.user_id, row.timestamp, row.created_at), (Some(user), at(5), at(1000)));
        assert_eq!((row.context.unwrap().to_string(), row.request_data), (r#"{"z":1,"a":{"y":"é"}}"#.to_owned(), Some(json!([1]))));
        assert!(error_logs::find(&db, 999).await.unwrap().is_none());

        let mut tx = db.begin().await.unwrap();
        users::delete(&mut tx, user).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(error_logs::find(&db, rows[1].id).await.unwrap().unwrap().user_id, None);
    }

    async fn filters_narrow_and_the_newest_comes_first(db: Db) {
        let user = add_user(&db, "alice").await.id;
        write(&db, &[
            fault("c-1", "backend", "error.unhandled", 1),
            NewErrorLog { user_id: Some(user), ..fault("c-1", "frontend", "frontend.error.unhandled", 2) },
            fault("c-2", "frontend", "frontend.error.unhandled", 3),
            fault("c-3", "backend", "error.domain", 3),
        ]).await;
        let found = |filter: ErrorLogFilter| {
            let db = db.clone();
            async move {
                let rows = error_logs::list(&db, &filter, Page::default()).await.unwrap();
                assert_eq!(error_logs::count(&db, &filter).await.unwrap(), i64::try_from(rows.len()).unwrap());
                rows.iter().map(|row| format!("{}/{}", row.correlation_id, row.service)).collect::<Vec<_>>().join(" ")
            }
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(found(ErrorLogFilter::default()).await, "c-3/backend c-2/frontend c-1/frontend c-1/backend");
        assert_eq!(found(ErrorLogFilter { correlation_id: text("c-1"), ..ErrorLogFilter::default() }).await, "c-1/frontend c-1/backend");
        assert_eq!(found(ErrorLogFilter { service: text("backend"), ..ErrorLogFilter::default() }).await, "c-3/backend c-1/backend");
        assert_eq!(found(ErrorLogFilter { event: text("error.domain"), ..ErrorLogFilter::default() }).await, "c-3/backend");
        assert_eq!(found(ErrorLogFilter { user_id: Some(user), ..ErrorLogFilter::default() }).await, "c-1/frontend");
        assert_eq!(found(ErrorLogFilter { since: Some(at(2)), until: Some(at(3)), ..ErrorLogFilter::default() }).await, "c-1/frontend");
        let page = error_logs::list(&db, &ErrorLogFilter::default(), Page::new(1, 2)).await.unwrap();
        assert_eq!(page.iter().map(|row| row.correlation_id.as_str()).collect::<Vec<_>>(), ["c-2", "c-1"]);
    }

    async fn old_rows_are_deleted_in_steps_and_newer_ones_stay(db: Db) {
        let old: Vec<_> = (0..1001).map(|when| fault("old", "backend", "x", when)).collect();
        write(&db, &old).await;
        write(&db, &[fault("new", "backend", "x", 5000)]).await;
        assert_eq!(error_logs::purge(&db, at(5000)).await.unwrap(), 1001);
        assert_eq!(error_logs::purge(&db, at(5000)).await.unwrap(), 0);
        assert_eq!(error_logs::count(&db, &ErrorLogFilter::default()).await.unwrap(), 1);
    }
}
