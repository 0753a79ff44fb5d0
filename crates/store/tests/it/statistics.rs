use syfthub_domain::{Role, UserId};
use syfthub_store::statistics::{self, ListedUser, LoginEdges, UserFilter, UserGroup, UserOrder, UserSort};
use syfthub_store::users::{self, ProfileChange};
use syfthub_store::{Db, Page};

use crate::contract;
use crate::fixture::{add_user, at};

const DAY: u64 = 86_400;

fn edges() -> LoginEdges {
    LoginEdges { day: at(99 * DAY), week: at(93 * DAY), month: at(70 * DAY), quarter: at(10 * DAY) }
}

async fn signed_in(db: &Db, id: UserId, when: u64) {
    let mut tx = db.begin().await.unwrap();
    users::set_last_login(&mut tx, id, at(when)).await.unwrap();
    tx.commit().await.unwrap();
}

fn names(rows: &[ListedUser]) -> Vec<&str> {
    rows.iter().map(|row| row.username.as_str()).collect()
}

const fn order(by: UserSort, descending: bool) -> UserOrder {
    UserOrder { by, descending }
}

contract! {
    async fn every_last_login_is_in_one_group_with_the_lower_edge_inside(db: Db) {
        for (name, when) in [("aa1", 99 * DAY), ("aa2", 99 * DAY - 1), ("aa3", 93 * DAY), ("aa4", 70 * DAY), ("aa5", 10 * DAY), ("aa6", 10 * DAY - 1)] {
            let id = add_user(&db, name).await.id;
            signed_in(&db, id, when).await;
        }
        add_user(&db, "never").await;
        let groups = statistics::groups(&db, edges()).await.unwrap();
        let [UserGroup { all_users, within_day, within_week, within_month, within_quarter, role, is_active, .. }] = groups.as_slice() else {
            panic!("one group: {groups:?}")
        };
        assert_eq!((*all_users, *within_day, *within_week, *within_month, *within_quarter), (7, 1, 2, 1, 1));
        assert_eq!((*role, *is_active), (Role::User, true));
    }

    async fn registrations_are_counted_by_day_in_utc(db: Db) {
        for name in ["aa1", "aa2"] {
            add_user(&db, name).await; // all at the same moment, 2026-09-21 14:13:20 UTC
        }
        let days = statistics::signups(&db, at(0)).await.unwrap();
        assert_eq!(days.iter().map(|day| (day.day.as_str(), day.signups)).collect::<Vec<_>>(), [("2026-09-21", 2)]);
        assert!(statistics::signups(&db, at(1)).await.unwrap().is_empty());
    }

    async fn filters_narrow_and_are_counted_alike(db: Db) {
        let ada = add_user(&db, "ada").await.id;
        let change = ProfileChange { role: Some(Role::Admin), is_active: Some(false), ..ProfileChange::default() };
        let mut tx = db.begin().await.unwrap();
        users::update_profile(&mut tx, ada, &change, at(1)).await.unwrap();
        tx.commit().await.unwrap();
        add_user(&db, "bob_b").await;
        add_user(&db, "bobxb").await;
        let all = |filter: UserFilter| {
            let db = db.clone();
            async move {
                let rows = statistics::list(&db, &filter, order(UserSort::Username, false), Page::default()).await.unwrap();
                assert_eq!(statistics::count(&db, &filter).await.unwrap(), i64::try_from(rows.len()).unwrap());
                names(&rows).join(" ")
            }
        };
        let search = |text: &str| UserFilter { search: Some(text.to_owned()), ..UserFilter::default() };
        assert_eq!(all(UserFilter::default()).await, "ada bob_b bobxb");
        assert_eq!(all(search("B_B")).await, "bob_b", "the underscore is no wildcard");
        assert_eq!(all(search("ADA@example")).await, "ada");
        assert_eq!(all(search("100%")).await, "");
        assert_eq!(all(UserFilter { role: Some(Role::Admin), ..UserFilter::default() }).await, "ada");
        assert_eq!(all(UserFilter { is_active: Some(true), ..UserFilter::default() }).await, "bob_b bobxb");
        assert_eq!(all(UserFilter { is_email_verified: Some(false), ..UserFilter::default() }).await, "");
        assert_eq!(all(UserFilter { is_active: Some(false), is_email_verified: Some(true), ..search("a") }).await, "ada");
    }

    async fn every_order_is_total_and_pages_cover_it_once(db: Db) {
        for (name, when) in [("aa1", None), ("aa2", Some(5)), ("aa3", Some(5)), ("aa4", None), ("aa5", Some(9))] {
            let id = add_user(&db, name).await.id;
            if let Some(when) = when {
                signed_in(&db, id, when).await;
            }
        }
        for by in [UserSort::Username, UserSort::Email, UserSort::Role, UserSort::CreatedAt, UserSort::LastLogin] {
            let filter = UserFilter::default();
            let up = statistics::ids(&db, &filter, order(by, false)).await.unwrap();
            let mut down = statistics::ids(&db, &filter, order(by, true)).await.unwrap();
            down.reverse();
            assert_eq!(up, down, "{by:?}");
            let mut paged = Vec::new();
            for skip in [0, 2, 4] {
                let page = statistics::list(&db, &filter, order(by, false), Page::new(skip, 2)).await.unwrap();
                paged.extend(page.iter().map(|row| row.id.0));
            }
            assert_eq!(up, paged, "{by:?}");
        }
        let rows = statistics::list(&db, &UserFilter::default(), order(UserSort::LastLogin, true), Page::default()).await.unwrap();
        assert_eq!(names(&rows), ["aa5", "aa3", "aa2", "aa4", "aa1"], "whoever never came is last");
        let ids = [rows[2].id.0, 99_999, rows[0].id.0];
        assert_eq!(names(&statistics::by_ids(&db, &ids).await.unwrap()), ["aa2", "aa5"]);
        assert!(statistics::by_ids(&db, &[]).await.unwrap().is_empty());
    }
}
