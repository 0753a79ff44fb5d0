//! The JSON of error reports.

use serde::Serialize;
use serde_json::Value;
use syfthub_domain::Timestamp;
use syfthub_store::error_logs::ErrorLogRow;
use utoipa::ToSchema;

/// A fault that the web app saw. Longer texts are clipped, and values that look like secrets are replaced.
#[derive(ToSchema)]
#[schema(as = FrontendErrorReport)]
#[expect(dead_code, reason = "describes the body for the API document")]
pub(super) struct FrontendReport {
    /// The request it belongs to, at most 36 characters; that of this request if absent.
    correlation_id: Option<String>,
    /// When it happened, as RFC 3339; believed if it is of the last 24 hours. A report is never refused for it.
    #[schema(example = "2026-01-02T03:04:05Z")]
    timestamp: Option<String>,
    /// Name of the event, `frontend.error.unhandled` if absent.
    event: Option<String>,
    /// What happened, in words.
    #[schema(example = "The page could not be shown")]
    message: String,
    /// The error.
    error: ReportedError,
    /// Where it happened.
    context: Option<ReportedContext>,
}

/// The error that the web app saw.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body for the API document")]
pub(super) struct ReportedError {
    /// Its kind.
    #[schema(example = "TypeError")]
    r#type: String,
    /// Its own text.
    message: Option<String>,
    /// Where in the program.
    stack_trace: Option<String>,
    /// Where on the page.
    component_stack: Option<String>,
}

/// Where the web app saw it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body for the API document")]
pub(super) struct ReportedContext {
    /// The page.
    url: Option<String>,
    /// The browser.
    user_agent: Option<String>,
    /// What else was known, as any JSON.
    app_state: Option<Value>,
}

/// A fault that one of our services saw. Longer texts are clipped, and values that look like secrets are replaced.
#[derive(ToSchema)]
#[schema(as = ServiceErrorReport)]
#[expect(dead_code, reason = "describes the body for the API document")]
pub(super) struct ServiceReport {
    /// Who reports it.
    #[schema(min_length = 1, example = "aggregator")]
    service: String,
    /// Name of the event.
    #[schema(min_length = 1, example = "chat.failed")]
    event: String,
    /// What happened, in words.
    message: String,
    /// How bad it was, `ERROR` if absent.
    level: Option<String>,
    /// The request it belongs to, at most 36 characters; that of this request if absent.
    correlation_id: Option<String>,
    /// The path that was asked for.
    endpoint: Option<String>,
    /// The HTTP method.
    method: Option<String>,
    /// The kind of the error.
    error_type: Option<String>,
    /// Its code.
    error_code: Option<String>,
    /// Where in the program.
    stack_trace: Option<String>,
    /// What else was known, as any JSON.
    context: Option<Value>,
    /// What was asked, as any JSON.
    request_data: Option<Value>,
    /// What was answered, as any JSON.
    response_data: Option<Value>,
}

/// The receipt of a report.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ErrorReportReceipt)]
pub(super) struct Receipt {
    /// Always true.
    pub(super) received: bool,
    /// The id to find the report by.
    pub(super) correlation_id: String,
}

/// A report in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorReport {
    /// Row id.
    id: i64,
    /// The request it belongs to.
    correlation_id: String,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
    /// Who reported it: `backend`, `frontend` or another service.
    service: String,
    /// How bad it was.
    level: String,
    /// Name of the event.
    event: String,
    /// What happened, in words.
    message: Option<String>,
    /// Who it happened to.
    user_id: Option<i64>,
    /// The path or page.
    endpoint: Option<String>,
    /// The HTTP method, or `CLIENT`.
    method: Option<String>,
    /// The kind of the error.
    error_type: Option<String>,
    /// Its code.
    error_code: Option<String>,
}

/// A report with all that is known.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorReportDetail {
    /// What the list shows.
    #[serde(flatten)]
    report: ErrorReport,
    /// Where in the program, or the chain of causes.
    stack_trace: Option<String>,
    /// What else was known.
    context: Option<Value>,
    /// What was asked, without secrets.
    request_data: Option<Value>,
    /// What was answered, without secrets.
    response_data: Option<Value>,
    /// When the hub received it.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<ErrorLogRow> for ErrorReport {
    fn from(row: ErrorLogRow) -> Self {
        ErrorReportDetail::from(row).report
    }
}

impl From<ErrorLogRow> for ErrorReportDetail {
    fn from(row: ErrorLogRow) -> Self {
        Self {
            report: ErrorReport {
                id: row.id,
                correlation_id: row.correlation_id,
                timestamp: row.timestamp,
                service: row.service,
                level: row.level,
                event: row.event,
                message: row.message,
                user_id: row.user_id.map(|id| id.0),
                endpoint: row.endpoint,
                method: row.method,
                error_type: row.error_type,
                error_code: row.error_code,
            },
            stack_trace: row.stack_trace,
            context: row.context,
            request_data: row.request_data,
            response_data: row.response_data,
            created_at: row.created_at,
        }
    }
}
