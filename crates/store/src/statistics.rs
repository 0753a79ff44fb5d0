//! What an administrator sees about users: figures, and a list that can be filtered and sorted.

use syfthub_domain::{AuthProvider, Email, Role, Timestamp, UserId, Username};

use crate::column::{SqlTime, row};
use crate::db::{Conn, Sql, on};
use crate::search::like_pattern;
use crate::{Page, Reads, Result};

/// The moments that part the times of the last sign-in.
#[derive(Debug, Clone, Copy)]
pub struct LoginEdges {
    /// A day ago.
    pub day: Timestamp,
    /// Seven days ago.
    pub week: Timestamp,
    /// Thirty days ago.
    pub month: Timestamp,
    /// Ninety days ago.
    pub quarter: Timestamp,
}

row! {
    /// How many users are alike in everything that the overview tells apart.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct UserGroup {
        /// Their role.
        pub role: Role,
        /// Where their accounts came from.
        pub auth_provider: AuthProvider,
        /// Whether the accounts may be used.
        pub is_active: bool,
        /// Whether their addresses were proved.
        pub is_email_verified: bool,
        /// All of them.
        pub all_users: i64,
        /// Who signed in within a day.
        pub within_day: i64,
        /// Before that, within seven days.
        pub within_week: i64,
        /// Before that, within thirty days.
        pub within_month: i64,
        /// Before that, within ninety days.
        pub within_quarter: i64,
    }
}

row! {
    /// How many accounts were made on a day.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Signups {
        /// The day in UTC, `2026-01-31`.
        pub day: String,
        /// How many.
        pub signups: i64,
    }
}

row! {
    /// A user as administrators list them.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct ListedUser {
        /// Row id.
        pub id: UserId,
        /// Unique name.
        pub username: Username,
        /// Unique address.
        pub email: Email,
        /// Name for people.
        pub full_name: String,
        /// Picture.
        pub avatar_url: Option<String>,
        /// What the account may do.
        pub role: Role,
        /// Whether the account may be used.
        pub is_active: bool,
        /// Whether the address was proved.
        pub is_email_verified: bool,
        /// Where the account came from.
        pub auth_provider: AuthProvider,
        /// Time of registration.
        pub created_at: Timestamp,
        /// Time of the last sign-in.
        pub last_login_at: Option<Timestamp>,
    }
}

/// Which users are wanted; without any of them, all.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// With this text in the name or the address.
    pub search: Option<String>,
    /// With this role.
    pub role: Option<Role>,
    /// Whether the account may be used.
    pub is_active: Option<bool>,
    /// Whether the address was proved.
    pub is_email_verified: Option<bool>,
}

/// What the list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UserSort {
    /// Name.
    Username,
    /// Address.
    Email,
    /// Role, in alphabetical order.
    Role,
    /// Time of registration.
    #[default]
    CreatedAt,
    /// Time of the last sign-in; whoever never did comes before all others.
    LastLogin,
}

/// A sort and its direction. The id makes every order total, and descending is ascending turned around.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserOrder {
    /// By what.
    pub by: UserSort,
    /// Whether the greatest comes first.
    pub descending: bool,
}

impl UserOrder {
    const fn sql(self) -> &'static str {
        match (self.by, self.descending) {
            (UserSort::Username, false) => "username",
            (UserSort::Username, true) => "username DESC",
            (UserSort::Email, false) => "email",
            (UserSort::Email, true) => "email DESC",
            (UserSort::Role, false) => "role, id",
            (UserSort::Role, true) => "role DESC, id DESC",
            (UserSort::CreatedAt, false) => "created_at, id",
            (UserSort::CreatedAt, true) => "created_at DESC, id DESC",
            (UserSort::LastLogin, false) => "last_login_at NULLS FIRST, id",
            (UserSort::LastLogin, true) => "last_login_at DESC NULLS LAST, id DESC",
        }
    }
}

macro_rules! columns {
    () => {
        "id, username, email, full_name, avatar_url, role, is_active, is_email_verified, auth_provider, created_at, \
         last_login_at"
    };
}

/// The figures of all users, in one statement and so of one moment.
pub async fn groups(from: impl Reads, edges: LoginEdges) -> Result<Vec<UserGroup>> {
    const SQL: &str = "SELECT role, auth_provider, is_active, is_email_verified, COUNT(*) AS all_users, \
        COUNT(CASE WHEN last_login_at >= $1 THEN 1 END) AS within_day, \
        COUNT(CASE WHEN last_login_at < $1 AND last_login_at >= $2 THEN 1 END) AS within_week, \
        COUNT(CASE WHEN last_login_at < $2 AND last_login_at >= $3 THEN 1 END) AS within_month, \
        COUNT(CASE WHEN last_login_at < $3 AND last_login_at >= $4 THEN 1 END) AS within_quarter \
        FROM users GROUP BY role, auth_provider, is_active, is_email_verified \
        ORDER BY role, auth_provider, is_active, is_email_verified";
    on!(from.source().conn().await?, c => sqlx::query_as::<_, UserGroup>(SQL)
        .bind(SqlTime(edges.day))
        .bind(SqlTime(edges.week))
        .bind(SqlTime(edges.month))
        .bind(SqlTime(edges.quarter))
        .fetch_all(c))
}

/// Registrations by day, from `since` on; days without any are left out.
pub async fn signups(from: impl Reads, since: Timestamp) -> Result<Vec<Signups>> {
    const SQL: Sql = Sql {
        postgres: "SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, COUNT(*) AS signups \
            FROM users WHERE created_at >= $1 GROUP BY 1 ORDER BY 1",
        sqlite: "SELECT substr(created_at, 1, 10) AS day, COUNT(*) AS signups \
            FROM users WHERE created_at >= $1 GROUP BY 1 ORDER BY 1",
    };
    let conn = from.source().conn().await?;
    let sql = SQL.pick(&conn);
    on!(conn, c => sqlx::query_as::<_, Signups>(sql).bind(SqlTime(since)).fetch_all(c))
}

/// The conditions of a filter. Only what is asked for is in the text, so that each index can be used.
fn conditions(filter: &UserFilter) -> String {
    let wanted = [
        (filter.search.is_some(), "(username LIKE $1 ESCAPE '\\' OR email LIKE $1 ESCAPE '\\')"),
        (filter.role.is_some(), "role = $2"),
        (filter.is_active.is_some(), "is_active = $3"),
        (filter.is_email_verified.is_some(), "is_email_verified = $4"),
    ];
    let parts: Vec<&str> = wanted.into_iter().filter(|(wanted, _)| *wanted).map(|(_, text)| text).collect();
    if parts.is_empty() { String::new() } else { format!(" WHERE {}", parts.join(" AND ")) }
}

macro_rules! bound {
    ($query:expr, $filter:expr) => {
        $query
            .bind($filter.search.as_deref().map(like_pattern))
            .bind($filter.role.map(Role::as_str))
            .bind($filter.is_active)
            .bind($filter.is_email_verified)
    };
}

/// A page of the list.
pub async fn list(
    from: impl Reads,
    filter: &UserFilter,
    order: UserOrder,
    page: Page,
) -> Result<Vec<ListedUser>> {
    let sql = format!(
        "SELECT {} FROM users{} ORDER BY {} LIMIT $5 OFFSET $6",
        columns!(),
        conditions(filter),
        order.sql()
    );
    on!(from.source().conn().await?, c => bound!(sqlx::query_as::<_, ListedUser>(sqlx::AssertSqlSafe(sql)), filter)
        .bind(i64::from(page.limit))
        .bind(i64::from(page.skip))
        .fetch_all(c))
}

/// How many users [`list`] would give without a page.
pub async fn count(from: impl Reads, filter: &UserFilter) -> Result<i64> {
    let sql = format!("SELECT COUNT(*) FROM users{}", conditions(filter));
    on!(from.source().conn().await?, c => bound!(sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(sql)), filter)
        .fetch_one(c))
}

/// The ids of the whole list in its order: eight bytes a user, so that an export of any size can be written
/// piece by piece without holding a connection.
pub async fn ids(from: impl Reads, filter: &UserFilter, order: UserOrder) -> Result<Vec<i64>> {
    let sql = format!("SELECT id FROM users{} ORDER BY {}", conditions(filter), order.sql());
    on!(from.source().conn().await?, c => bound!(sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(sql)), filter)
        .fetch_all(c))
}

/// The users with these ids, in this order; those that are gone are left out.
pub async fn by_ids(from: impl Reads, ids: &[i64]) -> Result<Vec<ListedUser>> {
    const SQL: Sql = Sql {
        postgres: concat!(
            "SELECT ",
            columns!(),
            " FROM users WHERE id IN (SELECT CAST(jsonb_array_elements_text(CAST($1 AS jsonb)) AS BIGINT))"
        ),
        sqlite: concat!("SELECT ", columns!(), " FROM users WHERE id IN (SELECT value FROM json_each($1))"),
    };
    let conn: Conn<'_> = from.source().conn().await?;
    let sql = SQL.pick(&conn);
    let rows = on!(conn, c => sqlx::query_as::<_, ListedUser>(sql).bind(crate::json(ids)).fetch_all(c))?;
    let mut by_id: std::collections::HashMap<i64, ListedUser> =
        rows.into_iter().map(|row| (row.id.0, row)).collect();
    Ok(ids.iter().filter_map(|id| by_id.remove(id)).collect())
}
