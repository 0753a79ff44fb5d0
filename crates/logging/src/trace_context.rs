//! W3C trace context (`traceparent`, `tracestate`) in and out.
//!
//! With trace export on, the current span's context is sent. With it off, the context that a caller
//! sent is passed on unchanged, so that this process is invisible in a trace but never breaks it.

use std::future::Future;

use http::{HeaderMap, HeaderValue};
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// Longest `tracestate` that is passed on, in bytes; W3C asks for at least 512.
const LONGEST_STATE: usize = 512;

tokio::task_local! {
    static REMOTE: Remote;
}

/// The trace context that a caller sent; empty when it sent none or a malformed one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remote {
    parent: Option<HeaderValue>,
    state: Option<HeaderValue>,
}

impl Remote {
    /// Tells whether the caller sent no usable context.
    pub const fn is_empty(&self) -> bool {
        self.parent.is_none()
    }

    /// Makes the caller's span the parent of `span`. Without trace export it does nothing.
    pub fn attach(&self, span: &Span) {
        if self.is_empty() {
            return;
        }
        let mut headers = HeaderMap::new();
        self.write(&mut headers);
        let context = TraceContextPropagator::new().extract(&Headers(&headers));
        // It fails only when the span has begun to be recorded or nothing records spans.
        let _ = span.set_parent(context);
    }

    fn write(&self, headers: &mut HeaderMap) {
        if let Some(parent) = &self.parent {
            headers.insert(TRACEPARENT, parent.clone());
        }
        if let Some(state) = &self.state {
            headers.insert(TRACESTATE, state.clone());
        }
    }
}

/// Reads the trace context of a request.
pub fn extract(headers: &HeaderMap) -> Remote {
    let parent = headers.get(TRACEPARENT).filter(|value| is_traceparent(value.as_bytes()));
    let state =
        headers.get(TRACESTATE).filter(|value| value.len() <= LONGEST_STATE && value.to_str().is_ok());
    Remote { parent: parent.cloned(), state: state.filter(|_| parent.is_some()).cloned() }
}

/// `00-<32 hex>-<16 hex>-<2 hex>`; ids of zeros only are invalid.
fn is_traceparent(value: &[u8]) -> bool {
    let parts: Vec<&[u8]> = value.split(|byte| *byte == b'-').collect();
    let [version, trace, span, flags] = parts.as_slice() else { return false };
    let hex = |part: &[u8], length: usize| {
        part.len() == length && part.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let zeros = |part: &[u8]| part.iter().all(|byte| *byte == b'0');
    *version == b"00" && hex(trace, 32) && hex(span, 16) && hex(flags, 2) && !zeros(trace) && !zeros(span)
}

/// Runs a future under the context that its caller sent, so that [`inject`] can pass it on.
pub fn scope<F: Future>(remote: Remote, future: F) -> impl Future<Output = F::Output> {
    REMOTE.scope(remote, future)
}

/// Runs a closure under the context that its caller sent, for example one poll of a body.
pub fn sync_scope<T>(remote: Remote, work: impl FnOnce() -> T) -> T {
    REMOTE.sync_scope(remote, work)
}

/// Returns the context of the request that the current task works for.
pub fn current() -> Remote {
    REMOTE.try_with(Clone::clone).unwrap_or_default()
}

/// Writes the trace context of the current span, or the one its caller sent, into outgoing headers.
pub fn inject(headers: &mut HeaderMap) {
    let context = Span::current().context();
    if context.span().span_context().is_valid() {
        TraceContextPropagator::new().inject_context(&context, &mut HeadersMut(headers));
    } else {
        current().write(headers);
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

struct HeadersMut<'a>(&'a mut HeaderMap);

impl Injector for HeadersMut<'_> {
    fn set(&mut self, key: &str, value: String) {
        let name = http::HeaderName::from_bytes(key.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value))
            && !value.is_empty()
        {
            self.0.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use opentelemetry::trace::TracerProvider;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::layer::SubscriberExt;

    use super::{extract, inject, scope};

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn headers(parent: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", HeaderValue::from_static(parent));
        headers.insert("tracestate", HeaderValue::from_static("vendor=1"));
        headers
    }

    #[test]
    fn refuses_malformed_contexts() {
        assert!(!extract(&headers(PARENT)).is_empty());
        for bad in [
            "",
            "00-xyz-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-extra",
        ] {
            assert!(extract(&headers(bad)).is_empty(), "{bad}");
        }
    }

    #[tokio::test]
    async fn without_export_the_context_is_passed_on() {
        let mut out = HeaderMap::new();
        inject(&mut out);
        assert!(out.is_empty());
        let out = scope(extract(&headers(PARENT)), async {
            let mut out = HeaderMap::new();
            inject(&mut out);
            out
        });
        assert_eq!(out.await, headers(PARENT));
        let mut out = HeaderMap::new();
        super::sync_scope(extract(&headers(PARENT)), || inject(&mut out));
        assert_eq!(out, headers(PARENT));
    }

    #[test]
    fn with_export_the_own_span_continues_the_trace() {
        syfthub_testing::log::listen_on_every_thread();
        let provider = SdkTracerProvider::builder().build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("work");
            extract(&headers(PARENT)).attach(&span);
            let mut out = HeaderMap::new();
            span.in_scope(|| inject(&mut out));
            let sent = out.get("traceparent").unwrap().to_str().unwrap();
            assert!(sent.starts_with("00-0af7651916cd43dd8448eb211c80319c-"), "{sent}");
            assert_ne!(sent, PARENT);
        });
    }
}
