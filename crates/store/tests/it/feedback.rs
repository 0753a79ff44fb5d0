use syfthub_domain::UserId;
use syfthub_store::feedback::{self, FeedbackFilter, NewFeedback};
use syfthub_store::{Db, Page, users};

use crate::contract;
use crate::fixture::{add_user, at};

fn said(id: &str, user: UserId, category: &'static str) -> NewFeedback {
    NewFeedback {
        id: id.to_owned(),
        user_id: user,
        category,
        description: format!("About {id}"),
        page_url: Some("https://hub.example.org/x".to_owned()),
        app_version: None,
        browser_info: None,
        screenshot: None,
    }
}

async fn store(db: &Db, new: &NewFeedback, when: u64) {
    let mut tx = db.begin().await.unwrap();
    feedback::insert(&mut tx, new, at(when)).await.unwrap();
    tx.commit().await.unwrap();
}

contract! {
    async fn feedback_outlives_its_author_and_keeps_its_picture(db: Db) {
        let user = add_user(&db, "alice").await.id;
        let picture = vec![0, 255, 1, 2];
        store(&db, &NewFeedback { screenshot: Some(("image/png", picture.clone())), ..said("f-1", user, "bug") }, 1).await;
        store(&db, &said("f-2", user, "idea"), 2).await;
        let row = feedback::find(&db, "f-1").await.unwrap().unwrap();
        assert_eq!((row.user_id, row.username.as_deref(), row.status.as_str()), (Some(user), Some("alice"), "new"));
        assert_eq!((row.screenshot_type.as_deref(), row.screenshot_bytes, row.created_at), (Some("image/png"), 4, at(1)));
        assert_eq!(feedback::screenshot(&db, "f-1").await.unwrap(), Some(picture));
        assert_eq!(feedback::screenshot(&db, "f-2").await.unwrap(), None);
        assert_eq!(feedback::stored_bytes(&db).await.unwrap(), 4);
        assert!(feedback::find(&db, "f-3").await.unwrap().is_none());
        let mut tx = db.begin().await.unwrap();
        users::delete(&mut tx, user).await.unwrap();
        tx.commit().await.unwrap();
        let row = feedback::find(&db, "f-1").await.unwrap().unwrap();
        assert_eq!((row.user_id, row.username), (None, None));
    }

    async fn lists_are_newest_first_and_narrowed_by_status_and_category(db: Db) {
        let user = add_user(&db, "alice").await.id;
        assert_eq!(feedback::stored_bytes(&db).await.unwrap(), 0);
        for (id, category, when) in [("f-1", "bug", 1), ("f-2", "idea", 2), ("f-3", "bug", 2)] {
            store(&db, &said(id, user, category), when).await;
        }
        let mut tx = db.begin().await.unwrap();
        assert!(feedback::set_status(&mut tx, "f-1", "resolved", at(9)).await.unwrap());
        assert!(!feedback::set_status(&mut tx, "f-9", "resolved", at(9)).await.unwrap());
        tx.commit().await.unwrap();
        let found = |status: Option<&str>, category: Option<&str>| {
            let filter = FeedbackFilter { status: status.map(str::to_owned), category: category.map(str::to_owned) };
            let db = db.clone();
            async move {
                let rows = feedback::list(&db, &filter, Page::default()).await.unwrap();
                assert_eq!(feedback::count(&db, &filter).await.unwrap(), i64::try_from(rows.len()).unwrap());
                rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>().join(" ")
            }
        };
        assert_eq!(found(None, None).await, "f-3 f-2 f-1");
        assert_eq!(found(Some("new"), None).await, "f-3 f-2");
        assert_eq!(found(None, Some("bug")).await, "f-3 f-1");
        assert_eq!(found(Some("resolved"), Some("bug")).await, "f-1");
        assert_eq!(feedback::find(&db, "f-1").await.unwrap().unwrap().updated_at, at(9));
        let page = feedback::list(&db, &FeedbackFilter::default(), Page::new(1, 1)).await.unwrap();
        assert_eq!(page[0].id, "f-2");
    }
}
