//! What an administrator sees about users, in figures and as lists.

pub(crate) mod export;
pub(crate) mod routes;
mod wire;

use std::time::Duration;

use axum::body::Body;
use serde_json::json;
use syfthub_domain::{AuthProvider, Result, Role, SharedClock, Timestamp};
use syfthub_store::statistics::{ListedUser, LoginEdges, Signups, UserFilter, UserGroup, UserOrder};
use syfthub_store::{Db, Page, statistics};

use self::wire::{
    DayCount, Headline, LastLogin, LoginBucket, Overview, ProviderCount, RoleCount, SignupTrend,
};
use crate::audit::{Origin, record};
use crate::parts::Parts;

const DAY: Duration = Duration::from_hours(24);

/// The rules of the feature.
#[derive(Debug)]
pub(crate) struct Statistics {
    db: Db,
    clock: SharedClock,
}

impl Statistics {
    /// Builds the feature.
    #[expect(clippy::unnecessary_wraps, reason = "every feature is built alike")]
    pub(crate) fn build(parts: &Parts) -> Result<Self> {
        Ok(Self { db: parts.db.clone(), clock: parts.clock.clone() })
    }

    /// The figures, with the registrations of the last `days` days in UTC, today included.
    pub(crate) async fn overview(&self, days: u32) -> Result<Overview> {
        let now = self.clock.now();
        let edges = LoginEdges {
            day: now.minus(DAY),
            week: now.minus(DAY * 7),
            month: now.minus(DAY * 30),
            quarter: now.minus(DAY * 90),
        };
        let groups = statistics::groups(&self.db, edges).await?;
        let first = midnight(now).minus(DAY * (days - 1));
        let found = statistics::signups(&self.db, first).await?;
        Ok(summary(&groups, SignupTrend { days, buckets: filled(first, days, &found) }))
    }

    /// A page of the list, and how many users there are under the filter.
    pub(crate) async fn users(
        &self,
        filter: &UserFilter,
        order: UserOrder,
        page: Page,
    ) -> Result<(Vec<ListedUser>, i64)> {
        let rows = statistics::list(&self.db, filter, order, page).await?;
        Ok((rows, statistics::count(&self.db, filter).await?))
    }

    /// The whole list as CSV, written while it is read, and the name of the file.
    pub(crate) async fn export(
        &self,
        origin: &Origin,
        filter: &UserFilter,
        order: UserOrder,
    ) -> Result<(String, Body)> {
        let ids = statistics::ids(&self.db, filter, order).await?;
        let mut entry = origin.entry(self.clock.now(), "users.exported", "hub", "users");
        entry.after = Some(json!({"rows": ids.len()}));
        let mut tx = self.db.begin().await?;
        record(&mut tx, &entry).await?;
        tx.commit().await?;
        let day = day(self.clock.now()).replace('-', "");
        Ok((format!("syfthub-users-{day}.csv"), export::body(self.db.clone(), ids)))
    }
}

/// The start of the day in UTC.
fn midnight(now: Timestamp) -> Timestamp {
    let seconds = now.as_secs();
    Timestamp::from_secs(seconds - seconds.rem_euclid(86_400))
}

/// The day in UTC, `2026-01-31`.
fn day(at: Timestamp) -> String {
    at.to_rfc3339().chars().take(10).collect()
}

/// One bucket a day from `first` on, those without registrations included.
fn filled(first: Timestamp, days: u32, found: &[Signups]) -> Vec<DayCount> {
    let on = |date: &str| found.iter().find(|row| row.day == date).map_or(0, |row| row.signups);
    (0..days)
        .map(|number| {
            let date = day(first.plus(DAY * number));
            DayCount { signups: on(&date), date }
        })
        .collect()
}

fn summary(groups: &[UserGroup], signup_trend: SignupTrend) -> Overview {
    let sum = |wanted: &dyn Fn(&UserGroup) -> bool| -> i64 {
        groups.iter().filter(|group| wanted(group)).map(|group| group.all_users).sum()
    };
    let headline = Headline {
        total_users: sum(&|_| true),
        active_users: sum(&|group| group.is_active),
        inactive_users: sum(&|group| !group.is_active),
        email_verified: sum(&|group| group.is_email_verified),
        email_unverified: sum(&|group| !group.is_email_verified),
        admins: sum(&|group| group.role == Role::Admin),
    };
    let by_role = [Role::Admin, Role::User, Role::Guest];
    Overview {
        headline,
        by_role: by_role
            .map(|role| RoleCount { role, count: sum(&|group| group.role == role) })
            .into_iter()
            .collect(),
        by_auth_provider: AuthProvider::ALL
            .iter()
            .map(|&provider| ProviderCount { provider, count: sum(&|group| group.auth_provider == provider) })
            .collect(),
        signup_trend,
        last_login: last_login(groups),
    }
}

fn last_login(groups: &[UserGroup]) -> LastLogin {
    let sum = |of: fn(&UserGroup) -> i64| -> i64 { groups.iter().map(of).sum() };
    let all = sum(|group| group.all_users);
    let day = sum(|group| group.within_day);
    let week = sum(|group| group.within_week);
    let month = sum(|group| group.within_month);
    let quarter = sum(|group| group.within_quarter);
    let bucket = |bucket, label, count| LoginBucket { bucket, label, count };
    LastLogin {
        buckets: vec![
            bucket("24h", "Last 24 hours", day),
            bucket("7d", "1 to 7 days ago", week),
            bucket("30d", "7 to 30 days ago", month),
            bucket("90d", "30 to 90 days ago", quarter),
            bucket("never", "Never, or more than 90 days ago", all - day - week - month - quarter),
        ],
        active_24h: day,
        dormant_30d: all - day - week - month,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_has_a_bucket_and_today_is_the_last() {
        let now = Timestamp::parse("2026-03-01T23:59:59.999999Z").unwrap();
        let first = midnight(now).minus(DAY * 6);
        let found = [Signups { day: "2026-02-28".to_owned(), signups: 3 }];
        let days = filled(first, 7, &found);
        let shown: Vec<(&str, i64)> = days.iter().map(|day| (day.date.as_str(), day.signups)).collect();
        assert_eq!(
            shown,
            [
                ("2026-02-23", 0),
                ("2026-02-24", 0),
                ("2026-02-25", 0),
                ("2026-02-26", 0),
                ("2026-02-27", 0),
                ("2026-02-28", 3),
                ("2026-03-01", 0)
            ]
        );
    }

    #[test]
    fn buckets_of_the_last_sign_in_add_up_to_all_users() {
        let group = UserGroup {
            role: Role::User,
            auth_provider: AuthProvider::Local,
            is_active: true,
            is_email_verified: true,
            all_users: 10,
            within_day: 1,
            within_week: 2,
            within_month: 3,
            within_quarter: 1,
        };
        let shown = last_login(&[group]);
        let counts: Vec<i64> = shown.buckets.iter().map(|bucket| bucket.count).collect();
        assert_eq!((counts.as_slice(), counts.iter().sum::<i64>()), ([1, 2, 3, 1, 3].as_slice(), 10));
        assert_eq!((shown.active_24h, shown.dormant_30d), (1, 4));
    }
}
