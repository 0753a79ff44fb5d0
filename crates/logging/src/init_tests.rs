use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use syfthub_config::{Log, LogFormat, LogLevel};
use syfthub_domain::{FixedClock, Timestamp};
use tracing::{debug, error, info, warn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use super::{Handle, lines, traced};
use crate::correlation::{CorrelationId, sync_scope};

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut self.0.lock().unwrap())).unwrap()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Buffer {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn log(level: LogLevel, format: LogFormat, dir: Option<PathBuf>) -> Log {
    Log { level, format, request_headers: false, request_body: false, response_body: false, dir }
}

fn with_logging(log: &Log, work: impl FnOnce(&Buffer, &Handle)) {
    syfthub_testing::log::listen_on_every_thread();
    let buffer = Buffer::default();
    let clock = FixedClock::new(Timestamp::parse("2024-01-15T10:30:45.123456Z").unwrap());
    let (layer, handle) = lines(log, "syfthub", buffer.clone(), clock).unwrap();
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || work(&buffer, &handle));
}

fn login() {
    let id = CorrelationId::from_header(Some("550e8400-e29b-41d4-a716-446655440000"));
    sync_scope(id, || {
        info!(
            target: "syfthub.api.auth",
            user_id = 123, method = "POST", path = "/api/v1/auth/login", duration_ms = 45u128,
            "user.login.success"
        );
    });
}

#[test]
fn json_line_is_exact() {
    with_logging(&log(LogLevel::Info, LogFormat::Json, None), |out, _| {
        login();
        assert_eq!(
            out.take(),
            concat!(
                r#"{"timestamp":"2024-01-15T10:30:45.123456Z","level":"info","logger":"syfthub.api.auth","#,
                r#""message":"user.login.success","correlation_id":"550e8400-e29b-41d4-a716-446655440000","#,
                r#""service":"syfthub","user_id":123,"method":"POST","path":"/api/v1/auth/login","duration_ms":45,"#,
                r#""context":"syfthub.api.auth","metadata":{"user_id":123,"method":"POST","#,
                r#""path":"/api/v1/auth/login","duration_ms":45}}"#,
                "\n"
            )
        );
    });
}

#[test]
fn values_cannot_forge_or_leak() {
    with_logging(&log(LogLevel::Info, LogFormat::Json, None), |out, _| {
        warn!(target: "syfthub.x", password = "hunter2", level = "debug", note = "a\nb", "odd.fields");
        let line = out.take();
        assert_eq!(line.matches('\n').count(), 1);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["password"], "[REDACTED]");
        assert_eq!(value["level"], "warning");
        assert_eq!(value["metadata"]["level"], "debug");
        assert_eq!(value["correlation_id"], serde_json::Value::Null);
        assert!(!line.contains("hunter2"));
    });
}

#[test]
fn console_line_is_exact() {
    with_logging(&log(LogLevel::Info, LogFormat::Console, None), |out, _| {
        login();
        error!(target: "syfthub.x", critical = true, note = "two words", "it.broke\nbadly");
        assert_eq!(
            out.take(),
            "2024-01-15T10:30:45.123456Z INFO     syfthub.api.auth user.login.success user_id=123 method=POST \
             path=/api/v1/auth/login duration_ms=45 [550e8400-e29b-41d4-a716-446655440000]\n\
             2024-01-15T10:30:45.123456Z CRITICAL syfthub.x it.broke\\nbadly note=\"two words\"\n"
        );
    });
}

#[test]
fn levels_filter_and_change_at_run_time() {
    with_logging(&log(LogLevel::Warning, LogFormat::Console, None), |out, handle| {
        let all = || {
            debug!(target: "syfthub.x", "d");
            info!(target: "syfthub.x", "i");
            info!(target: "hyper::proto", "library");
            warn!(target: "syfthub.x", "w");
            error!(target: "syfthub.x", "e");
            error!(target: "syfthub.x", critical = true, "c");
        };
        let seen = |out: &Buffer| -> String {
            all();
            out.take().lines().map(|line| line.split(' ').next_back().unwrap().to_owned() + ";").collect()
        };
        assert_eq!(seen(out), "w;e;c;");
        handle.set_level(LogLevel::Debug).unwrap();
        assert_eq!(seen(out), "d;i;w;e;c;");
        handle.set_level(LogLevel::Critical).unwrap();
        assert_eq!(seen(out), "c;");
    });
}

#[test]
fn files_get_what_is_theirs() {
    let dir = tempfile::tempdir().unwrap();
    let logs = dir.path().join("logs");
    with_logging(&log(LogLevel::Info, LogFormat::Json, Some(logs.clone())), |_, handle| {
        info!(target: "syfthub.api", "normal");
        error!(target: "syfthub.api", "broken");
        info!(target: "syfthub.audit", actor = "ann", "user.created");
        let read = |name: &str| fs::read_to_string(logs.join(name)).unwrap();
        assert_eq!(read("application.log").lines().count(), 3);
        assert_eq!(read("errors.log"), "2024-01-15T10:30:45.123456Z ERROR    syfthub.api broken\n");
        assert!(read("audit.log").ends_with("INFO     syfthub.audit user.created actor=ann\n"));
        fs::rename(logs.join("application.log"), logs.join("old")).unwrap();
        handle.reopen().unwrap();
        info!(target: "syfthub.api", "again");
        assert_eq!(read("application.log").lines().count(), 1);
    });
}

/// Notes the names of what passes.
struct Names(Arc<Mutex<Vec<&'static str>>>);

impl<S: tracing::Subscriber> Layer<S> for Names {
    fn on_new_span(&self, span: &tracing::span::Attributes<'_>, _: &tracing::Id, _: Context<'_, S>) {
        self.0.lock().unwrap().push(span.metadata().name());
    }

    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        self.0.lock().unwrap().push(event.metadata().target());
    }
}

#[test]
fn traces_have_our_fine_spans_but_no_chatter() {
    syfthub_testing::log::listen_on_every_thread();
    let names = Arc::<Mutex<Vec<&'static str>>>::default();
    let layer = Names(Arc::clone(&names)).with_filter(traced());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let _coarse = tracing::info_span!(target: "syfthub.a", "coarse").entered();
        let _fine = tracing::debug_span!(target: "syfthub.a", "fine").entered();
        let _finest = tracing::trace_span!(target: "syfthub.a", "finest").entered();
        let _theirs = tracing::debug_span!(target: "hyper", "theirs").entered();
        debug!(target: "syfthub.b", "chatter");
        info!(target: "syfthub.c", "news");
    });
    assert_eq!(*names.lock().unwrap(), ["coarse", "fine", "syfthub.c"]);
}
