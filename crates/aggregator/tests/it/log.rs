//! Reads the log of the test's own thread.

use std::io::Write;
use std::sync::{Arc, Mutex};

use syfthub_logging::correlation;
use tracing::Level;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::format::FmtSpan;

/// The lines of a log.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// Listens until the guard is dropped.
    pub(crate) fn listen() -> (Self, DefaultGuard) {
        Self::listen_to(Level::DEBUG, FmtSpan::NONE)
    }

    /// The same, with a line for the end of each span.
    pub(crate) fn listen_to_spans(level: Level) -> (Self, DefaultGuard) {
        Self::listen_to(level, FmtSpan::CLOSE)
    }

    fn listen_to(level: Level, spans: FmtSpan) -> (Self, DefaultGuard) {
        syfthub_testing::log::listen_on_every_thread();
        let lines = Self::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(level)
            .with_span_events(spans)
            .with_writer(move || writer.clone())
            .finish();
        (lines, tracing::subscriber::set_default(subscriber))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The only line of an event.
    pub(crate) fn of(&self, event: &str) -> String {
        let text = self.text();
        let mut found = text.lines().filter(|line| line.split(' ').any(|word| word == event));
        let line = found.next().unwrap_or_else(|| panic!("no {event} in\n{text}"));
        assert_eq!(found.next(), None, "one {event}");
        line.to_owned()
    }
}

impl Write for Lines {
    /// One line, after the id of the request that it belongs to.
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut lines = self.0.lock().unwrap();
        let id = correlation::current();
        write!(lines, "[{}] ", id.as_ref().map_or("-", |id| id.as_str()))?;
        lines.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
