//! Putting the sinks together.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use syfthub_config::{Log, LogFormat, LogLevel, Otlp};
use syfthub_domain::{SharedClock, SystemClock};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{FilterExt, Targets, filter_fn};
use tracing_subscriber::layer::{Context, Filter, Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt::MakeWriter, reload};

use crate::files::LogFile;
use crate::line::Line;
use crate::otlp;

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A log file cannot be opened.
    #[error("cannot open log file {path}: {source}; set LOG_DIR to a directory this user may write to")]
    File {
        /// The file.
        path: String,
        /// The fault.
        source: io::Error,
    },
    /// The trace exporter cannot be built.
    #[error("OTEL_EXPORTER_OTLP_ENDPOINT cannot be used: {0}")]
    Otlp(String),
    /// Something else logs in this process already.
    #[error("logging is already set up in this process")]
    AlreadySet,
    /// The level cannot be changed any more.
    #[error("logging has ended")]
    Gone,
}

/// Keeps the sinks alive. Dropping it, or [`Guard::flush`], writes out what is pending.
pub struct Guard {
    handle: Handle,
    provider: Option<SdkTracerProvider>,
}

impl Guard {
    /// Returns a handle that changes logging at run time.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Writes out what is pending. Blocks until the trace collector answers, at most about ten seconds.
    pub fn flush(&self) {
        let _ = io::stdout().flush();
        if let Some(provider) = &self.provider {
            let _ = provider.force_flush();
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = io::stdout().flush();
        if let Some(provider) = &self.provider {
            let _ = provider.shutdown();
        }
    }
}

/// Changes logging at run time, for a reload.
#[derive(Clone)]
pub struct Handle {
    filter: reload::Handle<Targets, Registry>,
    least: Arc<AtomicU8>,
    files: Arc<Vec<LogFile>>,
}

impl Handle {
    /// Sets the lowest severity that is logged.
    pub fn set_level(&self, level: LogLevel) -> Result<(), Error> {
        self.filter.reload(targets(level)).map_err(|_| Error::Gone)?;
        self.least.store(rank(level), Ordering::Relaxed);
        Ok(())
    }

    /// Opens the log files anew, for a tool that has moved them away (SIGHUP).
    pub fn reopen(&self) -> Result<(), Error> {
        self.files.iter().try_for_each(|file| {
            file.reopen().map_err(|source| Error::File { path: "in LOG_DIR".to_owned(), source })
        })
    }
}

/// Sets up logging for this process, once: lines on standard output, log files when `log.dir` is set,
/// trace export when an endpoint is set (then it must run inside a Tokio runtime).
pub fn init(log: &Log, otlp: &Otlp, service: &'static str) -> Result<Guard, Error> {
    let provider = otlp.endpoint.as_deref().map(|endpoint| otlp::provider(endpoint, service)).transpose()?;
    let spans = provider
        .as_ref()
        .map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer(service)));
    let (lines, handle) = lines(log, service, io::stdout, Arc::new(SystemClock))?;
    // The tracer sits outside the level filter of the lines: its own sampling decides. It takes spans of the level of
    // debugging too, which nobody makes while traces are not exported.
    let spans = spans.map(|spans| spans.with_filter(traced()));
    tracing_subscriber::registry().with(lines).with(spans).try_init().map_err(|_| Error::AlreadySet)?;
    Ok(Guard { handle, provider })
}

type Filtered<W> = tracing_subscriber::filter::Filtered<Lines<W>, reload::Layer<Targets, Registry>, Registry>;

/// Builds the layer that writes lines, and its handle.
pub(crate) fn lines<W>(
    log: &Log,
    service: &'static str,
    stdout: W,
    clock: SharedClock,
) -> Result<(Filtered<W>, Handle), Error>
where
    W: for<'a> MakeWriter<'a> + 'static,
{
    let files = Arc::new(log.dir.as_deref().map(open_files).transpose()?.unwrap_or_default());
    let least = Arc::new(AtomicU8::new(rank(log.level)));
    let (filter, reload) = reload::Layer::new(targets(log.level));
    let handle = Handle { filter: reload, least: Arc::clone(&least), files: Arc::clone(&files) };
    let lines = Lines { stdout, format: log.format, service, clock, least, files };
    Ok((lines.with_filter(filter), handle))
}

const FILE_NAMES: [&str; 3] = ["application.log", "errors.log", "audit.log"];

fn open_files(dir: &Path) -> Result<Vec<LogFile>, Error> {
    let fault = |path: &Path, source| Error::File { path: path.display().to_string(), source };
    std::fs::create_dir_all(dir).map_err(|source| fault(dir, source))?;
    FILE_NAMES
        .iter()
        .map(|name| {
            let path = dir.join(name);
            LogFile::create(path.clone()).map_err(|source| fault(&path, source))
        })
        .collect()
}

/// What passes at a level: everything of ours from that level on, of libraries warnings only (their
/// details drown ours and may carry data we do not know; what the MCP library warns of are mistakes of clients, in
/// their words), and SQL statements, which the database writes
/// only when `DATABASE_ECHO` asks for them.
fn targets(level: LogLevel) -> Targets {
    let ours = match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Error | LogLevel::Critical => LevelFilter::ERROR,
    };
    let theirs = ours.min(LevelFilter::WARN);
    Targets::new()
        .with_default(theirs)
        .with_target("rmcp", ours.min(LevelFilter::ERROR))
        .with_target("syfthub", ours)
        .with_target("sqlx::query", ours)
}

/// What traces are made of: everything from news on, and the parts of our own work without what is said in them.
fn traced<S>() -> impl Filter<S> {
    let parts = filter_fn(|meta| {
        meta.is_span() && meta.target().starts_with("syfthub") && *meta.level() <= Level::DEBUG
    })
    .with_max_level_hint(LevelFilter::DEBUG);
    targets(LogLevel::Info).or(parts)
}

const fn rank(level: LogLevel) -> u8 {
    level as u8
}

/// Writes each event to every sink that wants it.
pub(crate) struct Lines<W> {
    stdout: W,
    format: LogFormat,
    service: &'static str,
    clock: SharedClock,
    /// `critical` is finer than what the level filter can tell apart.
    least: Arc<AtomicU8>,
    files: Arc<Vec<LogFile>>,
}

impl<S, W> Layer<S> for Lines<W>
where
    S: Subscriber,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let line = Line::read(event);
        if rank(line.level) < self.least.load(Ordering::Relaxed) {
            return;
        }
        let now = self.clock.now();
        let text = (self.format == LogFormat::Console || !self.files.is_empty()).then(|| line.text(now));
        let out = match (self.format, &text) {
            (LogFormat::Console, Some(text)) => text.clone(),
            _ => line.json(now, self.service),
        };
        // One write per line keeps lines whole; a closed pipe must not stop the service.
        let _ = self.stdout.make_writer().write_all(out.as_bytes());
        if let (Some(text), [application, errors, audit]) = (&text, self.files.as_slice()) {
            application.write_line(text.as_bytes());
            if line.level >= LogLevel::Error {
                errors.write_line(text.as_bytes());
            }
            if line.is_audit() {
                audit.write_line(text.as_bytes());
            }
        }
    }
}

#[cfg(test)]
#[path = "init_tests.rs"]
mod tests;
