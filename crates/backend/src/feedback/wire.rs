//! The JSON of feedback.

use serde::Serialize;
use syfthub_domain::Timestamp;
use syfthub_store::feedback::FeedbackRow;
use utoipa::ToSchema;

use super::sink::Delivered;

/// Feedback as a form.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body for the API document")]
pub(super) struct FeedbackForm {
    /// `bug`, `feedback` (default) or `idea`.
    #[schema(pattern = "^(bug|feedback|idea)$", nullable = false, example = "idea")]
    category: Option<String>,
    /// What you want to say.
    #[schema(min_length = 1, max_length = 10_000, pattern = r"\S", example = "The search is fast.")]
    description: String,
    /// The page you are on.
    #[schema(max_length = 2000, nullable = false)]
    page_url: Option<String>,
    /// The version of the web app.
    #[schema(max_length = 100, nullable = false)]
    app_version: Option<String>,
    /// Your browser.
    #[schema(max_length = 1000, nullable = false)]
    browser_info: Option<String>,
    /// A PNG, JPEG, WebP or GIF image of at most 5 MB. Anything else is left out, and the answer says so.
    #[schema(value_type = Option<String>, format = Binary, nullable = false)]
    screenshot: Option<Vec<u8>>,
}

/// Whether feedback arrived.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FeedbackReceipt)]
pub(crate) struct Receipt {
    /// Whether it did.
    success: bool,
    /// The same for people.
    message: String,
    /// By what it can be found.
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket_id: Option<String>,
}

impl Receipt {
    /// It arrived, perhaps without its picture.
    pub(super) fn arrived(delivered: &Delivered, left_out: Option<&str>) -> Self {
        let full = "the screenshot was left out because there is no room for more";
        let left_out = left_out.or_else(|| delivered.without_picture.then_some(full));
        let message = match left_out {
            None => "Thank you for your feedback".to_owned(),
            Some(why) => format!("Thank you for your feedback; {why}"),
        };
        Self { success: true, message, ticket_id: Some(delivered.ticket_id.clone()) }
    }

    /// It did not.
    pub(super) fn failed(message: &str) -> Self {
        Self { success: false, message: message.to_owned(), ticket_id: None }
    }
}

/// Feedback as administrators see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Feedback)]
pub(super) struct FeedbackItem {
    /// UUID; the `ticket_id` that the author was given.
    id: String,
    /// Who said it; null once the account is deleted.
    user_id: Option<i64>,
    /// Their present name.
    username: Option<String>,
    /// `bug`, `feedback` or `idea`.
    category: String,
    /// `new`, `in_progress`, `resolved` or `dismissed`.
    status: String,
    /// What they said.
    description: String,
    /// The page they were on, as the browser told it: do not follow it unread.
    page_url: Option<String>,
    /// The version of the web app.
    app_version: Option<String>,
    /// Their browser.
    browser_info: Option<String>,
    /// Whether there is a screenshot to download.
    has_screenshot: bool,
    /// Its size in bytes.
    screenshot_bytes: i64,
    /// When they said it.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When the status was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<FeedbackRow> for FeedbackItem {
    fn from(row: FeedbackRow) -> Self {
        Self {
            id: row.id,
            user_id: row.user_id.map(|id| id.0),
            username: row.username,
            category: row.category,
            status: row.status,
            description: row.description,
            page_url: row.page_url,
            app_version: row.app_version,
            browser_info: row.browser_info,
            has_screenshot: row.screenshot_type.is_some(),
            screenshot_bytes: row.screenshot_bytes,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// What became of feedback.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body for the API document")]
pub(super) struct FeedbackUpdate {
    /// `new`, `in_progress`, `resolved` or `dismissed`.
    #[schema(pattern = "^(new|in_progress|resolved|dismissed)$", example = "resolved")]
    status: String,
}
