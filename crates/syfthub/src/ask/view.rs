//! What a person sees: progress on standard error, the answer and its sources on standard output.

use std::io::{self, IsTerminal as _, Write};

use super::events::{Done, Event};
use super::markers::MarkerFilter;
use crate::terminal::harmless;

/// Writes one answer. On a terminal the progress line is rewritten in place; elsewhere every step is
/// a line of its own.
pub(crate) struct View<O: Write, E: Write> {
    out: O,
    err: E,
    rewrite: bool,
    markers: MarkerFilter,
    wrote_token: bool,
    transient: bool,
}

impl View<io::Stdout, io::Stderr> {
    /// The process's own streams.
    pub(crate) fn of_process() -> Self {
        Self::new(io::stdout(), io::stderr(), io::stderr().is_terminal())
    }
}

impl<O: Write, E: Write> View<O, E> {
    /// Writes to `out` and `err`; `rewrite` when `err` is a terminal.
    pub(crate) fn new(out: O, err: E, rewrite: bool) -> Self {
        Self { out, err, rewrite, markers: MarkerFilter::default(), wrote_token: false, transient: false }
    }

    /// Says which model and sources are used.
    pub(crate) fn introduce(&mut self, model: &str, sources: &[String]) -> io::Result<()> {
        let sources = if sources.is_empty() { "no sources".to_owned() } else { sources.join(", ") };
        self.lasting(&format!("asking {model} with {sources}"))
    }

    /// Shows one event.
    pub(crate) fn show(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::RetrievalStart { sources: 0 } | Event::Other => Ok(()),
            Event::RetrievalStart { sources } => self.passing(&format!("searching {sources} source(s) …")),
            Event::SourceComplete { path, status, documents } if status == "success" => {
                self.lasting(&format!("  {path}: {documents} document(s)"))
            }
            Event::SourceComplete { path, status, .. } => self.lasting(&format!("  {path}: {status}")),
            Event::RetrievalComplete { total_documents, time_ms } => {
                self.passing(&format!("{total_documents} document(s) in {time_ms} ms, writing …"))
            }
            Event::Heartbeat { elapsed_ms } => {
                self.passing(&format!("still writing after {} s …", elapsed_ms / 1000))
            }
            Event::Token(content) => self.token(content),
            Event::Done(done) => self.done(done),
            Event::Failed(_) => self.clear(),
        }
    }

    fn token(&mut self, content: &str) -> io::Result<()> {
        self.clear()?;
        if !self.wrote_token {
            writeln!(self.err)?;
        }
        self.wrote_token = true;
        let text = harmless(&self.markers.push(content));
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }

    fn done(&mut self, done: &Done) -> io::Result<()> {
        self.clear()?;
        let rest = harmless(&self.markers.finish());
        writeln!(self.out, "{rest}")?;
        let cited = self.markers.cited();
        let used: Vec<_> = done.citations.iter().filter(|c| cited.contains(&c.number)).collect();
        if !used.is_empty() {
            writeln!(self.out, "\nSources")?;
            for citation in used {
                let (title, path) = (harmless(&citation.title), harmless(&citation.path));
                writeln!(self.out, "  [{}] {title} ({path})", citation.number)?;
            }
        }
        self.out.flush()?;
        for outcome in done.retrieval.iter().filter(|outcome| outcome.status != "success") {
            let why = outcome.error_message.as_deref().unwrap_or(&outcome.status);
            self.lasting(&format!("note: {} did not contribute: {why}", outcome.path))?;
        }
        self.lasting(&format!("\nanswered in {} ms", done.total_ms))
    }

    fn lasting(&mut self, line: &str) -> io::Result<()> {
        self.clear()?;
        writeln!(self.err, "{}", harmless(line))
    }

    /// A line that the next one replaces on a terminal.
    fn passing(&mut self, line: &str) -> io::Result<()> {
        if !self.rewrite {
            return self.lasting(line);
        }
        self.clear()?;
        write!(self.err, "{}", harmless(line))?;
        self.transient = true;
        self.err.flush()
    }

    fn clear(&mut self) -> io::Result<()> {
        if self.transient {
            write!(self.err, "\r\x1b[2K")?;
            self.transient = false;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_lines_when_nobody_watches() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut view = View::new(&mut out, &mut err, false);
        view.introduce("samples/extract", &["samples/syfthub-docs".to_owned()]).unwrap();
        let done = r#"{"citations":{"1":{"slug":"samples/syfthub-docs","title":"Runbook"},"2":{"slug":"x/y","title":"Unused"}},"metadata":{"total_time_ms":5}}"#;
        for (name, data) in [
            ("retrieval_start", r#"{"sources":1}"#),
            ("source_complete", r#"{"path":"samples/syfthub-docs","status":"success","documents":3}"#),
            ("token", r#"{"content":"Stop it, then copy [cite"}"#),
            ("token", r#"{"content":":1]."}"#),
            ("done", done),
        ] {
            view.show(&Event::parse(name, data).unwrap()).unwrap();
        }
        let out = String::from_utf8(out).unwrap();
        assert_eq!(out, "Stop it, then copy [1].\n\nSources\n  [1] Runbook (samples/syfthub-docs)\n");
        let err = String::from_utf8(err).unwrap();
        assert!(err.contains("  samples/syfthub-docs: 3 document(s)\n") && !err.contains('\x1b'), "{err}");
    }
}
