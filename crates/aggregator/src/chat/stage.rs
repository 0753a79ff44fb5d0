//! The stages of a chat. Each is a span with its sizes for traces, and a time for the histogram.
//!
//! The spans have the level of debugging, so that they cost nothing unless traces are exported or somebody debugs.

use metrics::Histogram;
use tokio::time::Instant;
use tracing::instrument::Instrumented;
use tracing::{Instrument, Span};

use super::TARGET;

/// What a chat is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Stage {
    /// Satellite tokens are fetched.
    Tokens,
    /// The sources are asked.
    Retrieve,
    /// Secrets in what they returned are masked.
    Mask,
    /// Documents are put in order.
    Rerank,
    /// What says the same as a better one is left out.
    Dedupe,
    /// The prompt is made to fit.
    Prompt,
    /// The model is asked.
    Generate,
    /// The answer is attributed to its documents.
    Attribute,
}

impl Stage {
    pub(super) const ALL: [Self; 8] = [
        Self::Tokens,
        Self::Retrieve,
        Self::Mask,
        Self::Rerank,
        Self::Dedupe,
        Self::Prompt,
        Self::Generate,
        Self::Attribute,
    ];

    /// Its name in logs and as a label.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Retrieve => "retrieve",
            Self::Mask => "mask",
            Self::Rerank => "rerank",
            Self::Dedupe => "dedupe",
            Self::Prompt => "prompt",
            Self::Generate => "generate",
            Self::Attribute => "attribute",
        }
    }

    /// Begins it.
    pub(super) fn begin(self) -> Under {
        // The names are written out, so that neither a label nor a span is made anew for every chat.
        macro_rules! begin {
            ($name:literal, $span:literal $(, $size:ident)*) => {
                Under {
                    span: tracing::debug_span!(target: TARGET, $span $(, $size = tracing::field::Empty)*),
                    histogram: metrics::histogram!("syfthub_chat_stage_seconds", "stage" => $name),
                    started: Instant::now(),
                }
            };
        }
        match self {
            Self::Tokens => begin!("tokens", "chat.tokens"),
            Self::Retrieve => begin!("retrieve", "chat.retrieve", sources, documents, bytes),
            Self::Mask => begin!("mask", "chat.mask", documents),
            Self::Rerank => begin!("rerank", "chat.rerank", documents),
            Self::Dedupe => begin!("dedupe", "chat.dedupe", documents, kept),
            Self::Prompt => begin!("prompt", "chat.prompt", documents, messages, bytes),
            Self::Generate => begin!("generate", "chat.generate", bytes),
            Self::Attribute => begin!("attribute", "chat.attribute", citations, removed),
        }
    }
}

/// A stage under way; it ends with this.
pub(super) struct Under {
    span: Span,
    histogram: Histogram,
    started: Instant,
}

impl Under {
    /// The same future, worked on in this stage.
    pub(super) fn over<F: Future>(&self, work: F) -> Instrumented<F> {
        work.instrument(self.span.clone())
    }

    /// Does some work in this stage.
    pub(super) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        self.span.in_scope(work)
    }

    /// Notes how much of something it had to do with.
    pub(super) fn size(&self, name: &'static str, size: usize) {
        self.span.record(name, size);
    }
}

impl Drop for Under {
    fn drop(&mut self) {
        self.histogram.record(self.started.elapsed().as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_at_its_own_place() {
        for (place, stage) in Stage::ALL.into_iter().enumerate() {
            assert_eq!(stage as usize, place);
        }
    }
}
