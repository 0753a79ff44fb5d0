//! One event as one line: JSON for machines, text for people and for log files.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};
use syfthub_config::LogLevel;
use syfthub_domain::Timestamp;
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use crate::{correlation, redact};

/// Names of a JSON line that an event's own field may not replace; such a field is only in `metadata`.
const FIXED: &[&str] =
    &["timestamp", "level", "logger", "message", "correlation_id", "service", "context", "metadata"];

/// An event, read once and written in as many shapes as there are sinks.
pub(crate) struct Line {
    pub(crate) level: LogLevel,
    pub(crate) logger: String,
    message: String,
    fields: Map<String, Value>,
}

impl Line {
    /// Reads an event. Values of sensitive fields are replaced here, before any sink sees them.
    pub(crate) fn read(event: &Event<'_>) -> Self {
        let mut reader = Reader::default();
        event.record(&mut reader);
        let mut level = level_of(*event.metadata().level());
        let critical = reader.fields.remove("critical");
        if level == LogLevel::Error && critical == Some(Value::Bool(true)) {
            level = LogLevel::Critical;
        }
        let mut fields = Value::Object(reader.fields);
        redact::redact_json(&mut fields);
        let Value::Object(fields) = fields else { unreachable!("an object stays an object") };
        let logger = event.metadata().target().replace("::", ".");
        Self { level, logger, message: reader.message, fields }
    }

    /// Tells whether the event belongs to the audit log.
    pub(crate) fn is_audit(&self) -> bool {
        self.logger == "syfthub.audit" || self.logger.starts_with("syfthub.audit.")
    }

    /// Writes the line as one JSON object.
    pub(crate) fn json(&self, now: Timestamp, service: &str) -> String {
        let mut out = Map::new();
        out.insert("timestamp".to_owned(), now.to_rfc3339().into());
        out.insert("level".to_owned(), self.level.as_str().into());
        out.insert("logger".to_owned(), self.logger.as_str().into());
        out.insert("message".to_owned(), self.message.as_str().into());
        let id = correlation::with_current(|id| id.map(str::to_owned));
        out.insert("correlation_id".to_owned(), id.into());
        out.insert("service".to_owned(), service.into());
        for (name, value) in &self.fields {
            if !FIXED.contains(&name.as_str()) {
                out.insert(name.clone(), value.clone());
            }
        }
        out.insert("context".to_owned(), self.logger.as_str().into());
        out.insert("metadata".to_owned(), Value::Object(self.fields.clone()));
        let mut line = Value::Object(out).to_string();
        line.push('\n');
        line
    }

    /// Writes the line as text with the level in capitals:
    /// `2026-01-02T03:04:05.000006Z WARNING syfthub.api user.login.failed reason=password [id]`.
    pub(crate) fn text(&self, now: Timestamp) -> String {
        let level = self.level.as_str().to_ascii_uppercase();
        let mut line = format!("{} {level:<8} {} ", now.to_rfc3339(), self.logger);
        push_one_line(&mut line, &self.message);
        for (name, value) in &self.fields {
            let _ = write!(line, " {name}=");
            match value {
                Value::String(text) if is_plain(text) => line.push_str(text),
                other => push_one_line(&mut line, &other.to_string()),
            }
        }
        correlation::with_current(|id| {
            if let Some(id) = id {
                let _ = write!(line, " [{id}]");
            }
        });
        line.push('\n');
        line
    }
}

const fn level_of(level: Level) -> LogLevel {
    match level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warning,
        Level::INFO => LogLevel::Info,
        Level::DEBUG | Level::TRACE => LogLevel::Debug,
    }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != '"')
}

/// A line break inside a value would let it forge a line of its own.
fn push_one_line(line: &mut String, text: &str) {
    for c in text.chars() {
        if c.is_control() {
            let _ = write!(line, "{}", c.escape_default());
        } else {
            line.push(c);
        }
    }
}

#[derive(Default)]
struct Reader {
    message: String,
    fields: Map<String, Value>,
}

impl Reader {
    fn put(&mut self, field: &Field, value: Value) {
        if field.name() == "message" {
            self.message = match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
        } else if !field.name().starts_with("log.") {
            self.fields.insert(field.name().trim_start_matches("r#").to_owned(), value);
        }
    }
}

impl Visit for Reader {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, Value::String(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.put(field, i64::try_from(value).map_or_else(|_| value.to_string().into(), Value::from));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        // `Duration::as_millis` is a u128; as a number it can be compared and summed.
        self.put(field, u64::try_from(value).map_or_else(|_| value.to_string().into(), Value::from));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(cause) = source {
            let _ = write!(text, ": {cause}");
            source = cause.source();
        }
        self.put(field, text.into());
    }
}
