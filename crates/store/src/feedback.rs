//! What users say about the hub, and the pictures that they send with it.

use syfthub_domain::{Timestamp, UserId};

use crate::column::{SqlTime, row};
use crate::db::{affected, on};
use crate::{Page, Reads, Result, Tx};

row! {
    /// A row of `feedback`, with the name of its author.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct FeedbackRow {
        /// UUID version 7.
        pub id: String,
        /// Who said it; none once the account is deleted.
        pub user_id: Option<UserId>,
        /// Their present name.
        pub username: Option<String>,
        /// `bug`, `feedback` or `idea`.
        pub category: String,
        /// `new`, `in_progress`, `resolved` or `dismissed`.
        pub status: String,
        /// What they said.
        pub description: String,
        /// The page they were on.
        pub page_url: Option<String>,
        /// The version of the web app.
        pub app_version: Option<String>,
        /// Their browser.
        pub browser_info: Option<String>,
        /// Media type of the picture, if there is one.
        pub screenshot_type: Option<String>,
        /// Its size.
        pub screenshot_bytes: i64,
        /// When they said it.
        pub created_at: Timestamp,
        /// When the status was last changed.
        pub updated_at: Timestamp,
    }
}

/// Feedback to be stored.
#[derive(Debug, Clone)]
pub struct NewFeedback {
    /// UUID version 7.
    pub id: String,
    /// Who says it.
    pub user_id: UserId,
    /// `bug`, `feedback` or `idea`.
    pub category: &'static str,
    /// What they say.
    pub description: String,
    /// The page they are on.
    pub page_url: Option<String>,
    /// The version of the web app.
    pub app_version: Option<String>,
    /// Their browser.
    pub browser_info: Option<String>,
    /// A picture: its media type and its bytes.
    pub screenshot: Option<(&'static str, Vec<u8>)>,
}

/// Which feedback is wanted; without any of them, all.
#[derive(Debug, Clone, Default)]
pub struct FeedbackFilter {
    /// With this status.
    pub status: Option<String>,
    /// Of this category.
    pub category: Option<String>,
}

macro_rules! selected {
    () => {
        "SELECT f.id, f.user_id, u.username, f.category, f.status, f.description, f.page_url, f.app_version, \
         f.browser_info, f.screenshot_type, f.screenshot_bytes, f.created_at, f.updated_at \
         FROM feedback f LEFT JOIN users u ON u.id = f.user_id"
    };
}

/// Stores feedback with its picture.
pub async fn insert(tx: &mut Tx, new: &NewFeedback, now: Timestamp) -> Result<()> {
    const SQL: &str = "INSERT INTO feedback (id, user_id, category, status, description, page_url, app_version, \
        browser_info, screenshot_type, screenshot_bytes, created_at, updated_at) \
        VALUES ($1, $2, $3, 'new', $4, $5, $6, $7, $8, $9, $10, $10)";
    const PICTURE: &str = "INSERT INTO feedback_screenshots (feedback_id, content) VALUES ($1, $2)";
    let size = new.screenshot.as_ref().map_or(0, |(_, bytes)| bytes.len());
    affected!(
        tx.held(),
        sqlx::query(SQL)
            .bind(&new.id)
            .bind(new.user_id.0)
            .bind(new.category)
            .bind(&new.description)
            .bind(new.page_url.as_deref())
            .bind(new.app_version.as_deref())
            .bind(new.browser_info.as_deref())
            .bind(new.screenshot.as_ref().map(|(media_type, _)| *media_type))
            .bind(i64::try_from(size).unwrap_or(i64::MAX))
            .bind(SqlTime(now))
    )?;
    if let Some((_, bytes)) = &new.screenshot {
        affected!(tx.held(), sqlx::query(PICTURE).bind(&new.id).bind(bytes.as_slice()))?;
    }
    Ok(())
}

/// How many bytes all pictures have together.
pub async fn stored_bytes(from: impl Reads) -> Result<i64> {
    const SQL: &str = "SELECT CAST(COALESCE(SUM(screenshot_bytes), 0) AS BIGINT) FROM feedback";
    on!(from.source().conn().await?, c => sqlx::query_scalar::<_, i64>(SQL).fetch_one(c))
}

/// The conditions of a filter. Only what is asked for is in the text, so that each index can be used.
const fn conditions(filter: &FeedbackFilter) -> &'static str {
    match (&filter.status, &filter.category) {
        (None, None) => "",
        (Some(_), None) => " WHERE f.status = $1",
        (None, Some(_)) => " WHERE f.category = $2",
        (Some(_), Some(_)) => " WHERE f.status = $1 AND f.category = $2",
    }
}

/// Feedback, newest first.
pub async fn list(from: impl Reads, filter: &FeedbackFilter, page: Page) -> Result<Vec<FeedbackRow>> {
    let sql = format!(
        "{}{} ORDER BY f.created_at DESC, f.id DESC LIMIT $3 OFFSET $4",
        selected!(),
        conditions(filter)
    );
    on!(from.source().conn().await?, c => sqlx::query_as::<_, FeedbackRow>(sqlx::AssertSqlSafe(sql))
        .bind(filter.status.as_deref())
        .bind(filter.category.as_deref())
        .bind(i64::from(page.limit))
        .bind(i64::from(page.skip))
        .fetch_all(c))
}

/// How many rows [`list`] would give without a page.
pub async fn count(from: impl Reads, filter: &FeedbackFilter) -> Result<i64> {
    let sql = format!("SELECT COUNT(*) FROM feedback f{}", conditions(filter));
    on!(from.source().conn().await?, c => sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(sql))
        .bind(filter.status.as_deref())
        .bind(filter.category.as_deref())
        .fetch_one(c))
}

/// The feedback with this id.
pub async fn find(from: impl Reads, id: &str) -> Result<Option<FeedbackRow>> {
    const SQL: &str = concat!(selected!(), " WHERE f.id = $1");
    on!(from.source().conn().await?, c => sqlx::query_as::<_, FeedbackRow>(SQL).bind(id).fetch_optional(c))
}

/// The picture of the feedback with this id.
pub async fn screenshot(from: impl Reads, id: &str) -> Result<Option<Vec<u8>>> {
    const SQL: &str = "SELECT content FROM feedback_screenshots WHERE feedback_id = $1";
    on!(from.source().conn().await?, c => sqlx::query_scalar::<_, Vec<u8>>(SQL).bind(id).fetch_optional(c))
}

/// Sets the status. Gives whether there is such feedback.
pub async fn set_status(tx: &mut Tx, id: &str, status: &str, now: Timestamp) -> Result<bool> {
    const SQL: &str = "UPDATE feedback SET status = $2, updated_at = $3 WHERE id = $1";
    affected!(tx.held(), sqlx::query(SQL).bind(id).bind(status).bind(SqlTime(now))).map(|rows| rows > 0)
}
