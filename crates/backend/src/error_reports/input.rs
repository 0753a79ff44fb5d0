//! Reports as they are sent, clipped to their columns and without secrets.

use std::time::Duration;

use serde_json::{Map, Value};
use syfthub_domain::{Result, Timestamp};
use syfthub_logging::correlation::{self, CorrelationId};
use syfthub_logging::redact::{redact_input, redact_query};
use syfthub_store::error_logs::NewErrorLog;
use syfthub_web::Fields;

/// Longest text of a line, in characters.
pub(super) const LINE: usize = 1000;
/// Longest message and chain of causes, in characters.
pub(super) const TEXT: usize = 10_000;
/// Longest stack trace, in characters.
const STACK: usize = 20_000;
/// The event of a report that names none.
const DEFAULT_EVENT: &str = "frontend.error.unhandled";
/// A time that a client names is believed if it is not older than this.
const BELIEVED: Duration = Duration::from_hours(24);

/// Reads a report of the web app.
pub(super) fn frontend(body: Value, now: Timestamp) -> Result<NewErrorLog> {
    let mut fields = Fields::body(body)?;
    let correlation_id = fields.string("correlation_id").optional();
    let timestamp = fields.string("timestamp").optional();
    let event = fields.string("event").optional();
    let message = fields.string("message").required();
    let error = fields
        .object("error", |error| ErrorPart {
            kind: error.string("type").required().peek().cloned(),
            message: error.string("message").optional(),
            stack_trace: error.string("stack_trace").optional(),
            component_stack: error.string("component_stack").optional(),
        })
        .required();
    let context = fields
        .object("context", |context| ContextPart {
            url: context.string("url").optional(),
            user_agent: context.string("user_agent").optional(),
            app_state: context.any("app_state").optional(),
        })
        .optional()
        .unwrap_or_default();
    let valid = fields.finish()?;
    let error = error.take(&valid);
    let endpoint = context.url.as_deref().map(|url| clipped(&without_secrets(url), 255));
    Ok(NewErrorLog {
        correlation_id: correlation_of(correlation_id.as_deref()),
        timestamp: Some(timestamp.as_deref().and_then(Timestamp::parse).map_or(now, |at| believed(at, now))),
        service: "frontend".to_owned(),
        level: "ERROR".to_owned(),
        event: event.map_or_else(|| DEFAULT_EVENT.to_owned(), |event| clipped(&event, 100)),
        message: Some(clipped(&message.take(&valid), TEXT)),
        endpoint,
        method: Some("CLIENT".to_owned()),
        error_type: error.kind.as_deref().map(|kind| clipped(kind, 100)),
        stack_trace: error.stack(),
        context: Some(context_of(error.message.as_deref(), context)),
        ..NewErrorLog::default()
    })
}

struct ErrorPart {
    kind: Option<String>,
    message: Option<String>,
    stack_trace: Option<String>,
    component_stack: Option<String>,
}

impl ErrorPart {
    /// Both stacks in one text.
    fn stack(&self) -> Option<String> {
        let parts = [self.stack_trace.as_deref(), self.component_stack.as_deref()];
        let parts: Vec<String> = parts.into_iter().flatten().map(|stack| clipped(stack, STACK)).collect();
        (!parts.is_empty()).then(|| parts.join("\n\n"))
    }
}

#[derive(Default)]
struct ContextPart {
    url: Option<String>,
    user_agent: Option<String>,
    app_state: Option<Value>,
}

fn context_of(error_message: Option<&str>, context: ContextPart) -> Value {
    let mut object = Map::new();
    if let Some(text) = error_message {
        object.insert("error_message".to_owned(), clipped(text, LINE).into());
    }
    if let Some(agent) = context.user_agent {
        object.insert("user_agent".to_owned(), clipped(&agent, LINE).into());
    }
    if let Some(state) = context.app_state {
        object.insert("app_state".to_owned(), state);
    }
    redacted(Value::Object(object))
}

/// Reads a report of one of our services.
pub(super) fn service(body: Value) -> Result<NewErrorLog> {
    let mut fields = Fields::body(body)?;
    let service = fields.string("service").length(1, usize::MAX).required();
    let event = fields.string("event").length(1, usize::MAX).required();
    let message = fields.string("message").required();
    let level = fields.string("level").optional();
    let correlation_id = fields.string("correlation_id").optional();
    let mut text = |key: &str, longest: usize| {
        fields.string(key).optional().filter(|text| !text.is_empty()).map(|text| clipped(&text, longest))
    };
    let endpoint = text("endpoint", TEXT).map(|url| clipped(&without_secrets(&url), 255));
    let method = text("method", 10);
    let error_type = text("error_type", 100);
    let error_code = text("error_code", 50);
    let stack_trace = text("stack_trace", STACK);
    let mut json = |key: &str| fields.any(key).optional().map(redacted);
    let (context, request_data, response_data) =
        (json("context"), json("request_data"), json("response_data"));
    let valid = fields.finish()?;
    Ok(NewErrorLog {
        correlation_id: correlation_of(correlation_id.as_deref()),
        timestamp: None,
        service: clipped(&service.take(&valid), 50),
        level: level.map_or_else(|| "ERROR".to_owned(), |level| clipped(&level.to_uppercase(), 20)),
        event: clipped(&event.take(&valid), 100),
        message: Some(clipped(&message.take(&valid), TEXT)),
        user_id: None,
        endpoint,
        method,
        error_type,
        error_code,
        stack_trace,
        context,
        request_data,
        response_data,
    })
}

/// The first `longest` characters.
pub(super) fn clipped(text: &str, longest: usize) -> String {
    text.chars().take(longest).collect()
}

fn redacted(mut value: Value) -> Value {
    redact_input(&mut value);
    value
}

/// An address without its fragment, and without the values of sensitive parameters.
fn without_secrets(url: &str) -> String {
    let url = url.split_once('#').map_or(url, |(before, _)| before);
    match url.split_once('?') {
        Some((path, query)) => format!("{path}?{}", redact_query(query)),
        None => url.to_owned(),
    }
}

/// The id that was sent if it can be kept, else that of this request.
pub(super) fn correlation_of(sent: Option<&str>) -> String {
    let kept = sent.filter(|sent| CorrelationId::from_header(Some(sent)).as_str() == *sent);
    let own = || correlation::current().unwrap_or_else(CorrelationId::generate).as_str().to_owned();
    kept.map_or_else(own, str::to_owned)
}

/// The time that a client named, if its clock cannot be far off: a report from the future would never be deleted.
pub(super) fn believed(sent: Timestamp, now: Timestamp) -> Timestamp {
    if sent <= now && now.since(sent) <= BELIEVED { sent } else { now }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    #[test]
    fn a_report_is_clipped_and_its_secrets_are_gone() {
        let body = json!({
            "correlation_id": "c-1", "message": "m".repeat(20_000), "event": "e".repeat(300),
            "error": {"type": "T".repeat(300), "message": "no", "stack_trace": "a", "component_stack": "b"},
            "context": {"url": format!("https://hub/x?token=abc&page=1&{}#access_token=1", "y".repeat(400)),
                        "user_agent": "Mozilla", "app_state": {"password": "hunter2", "tab": 3}},
        });
        let row = frontend(body, NOW).unwrap();
        assert_eq!(
            (row.correlation_id.as_str(), row.event.len(), row.method.as_deref()),
            ("c-1", 100, Some("CLIENT"))
        );
        assert_eq!((row.message.unwrap().len(), row.error_type.unwrap().len()), (TEXT, 100));
        assert_eq!(row.stack_trace.as_deref(), Some("a\n\nb"));
        let url = row.endpoint.unwrap();
        assert!(
            url.starts_with("https://hub/x?token=[REDACTED]&page=1&y") && url.chars().count() == 255,
            "{url}"
        );
        assert_eq!(
            row.context.unwrap(),
            json!({"error_message": "no", "user_agent": "Mozilla", "app_state": {"password": "[REDACTED]", "tab": 3}})
        );
    }

    #[test]
    fn only_a_time_of_the_last_day_is_believed() {
        for (sent, told) in [
            ("2027-01-15T07:00:00Z", "2027-01-15T07:00:00.000000Z"),
            ("2027-01-15T08:00:01Z", "2027-01-15T08:00:00.000000Z"),
            ("2026-01-15T07:00:00Z", "2027-01-15T08:00:00.000000Z"),
        ] {
            assert_eq!(believed(Timestamp::parse(sent).unwrap(), NOW).to_rfc3339(), told);
        }
    }

    #[test]
    fn every_wrong_field_is_named() {
        let error = frontend(json!({"message": 1, "error": {"message": 2}, "context": []}), NOW).unwrap_err();
        let syfthub_domain::Detail::Fields(fields) = error.detail else { panic!("field errors") };
        assert_eq!(fields.len(), 4, "{fields:?}");
        let error = service(json!({"level": 1})).unwrap_err();
        let syfthub_domain::Detail::Fields(fields) = error.detail else { panic!("field errors") };
        assert_eq!(fields.len(), 4, "{fields:?}");
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_sent_fits_its_columns(text in "\\PC{0,400}", level in "\\PC{0,60}") {
            let body = json!({"service": format!("s{text}"), "event": format!("e{text}"), "message": text,
                "level": level, "correlation_id": text, "endpoint": text, "method": text, "error_type": text,
                "error_code": text});
            let row = service(body).unwrap();
            let fits = |text: &str, longest: usize| text.chars().count() <= longest;
            proptest::prop_assert!(fits(&row.correlation_id, 36) && fits(&row.service, 50) && fits(&row.level, 20));
            proptest::prop_assert!(fits(&row.event, 100) && row.endpoint.is_none_or(|text| fits(&text, 255)));
            proptest::prop_assert!(row.method.is_none_or(|text| fits(&text, 10)));
            proptest::prop_assert!(row.error_code.is_none_or(|text| fits(&text, 50)));
        }
    }
}
