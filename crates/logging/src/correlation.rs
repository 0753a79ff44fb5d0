//! The id that ties together all log lines of one request, across services.

use std::fmt;
use std::future::Future;

use uuid::Uuid;

tokio::task_local! {
    static CURRENT: CorrelationId;
}

/// Name of the HTTP header and of the gRPC metadata entry.
pub const HEADER: &str = "x-correlation-id";

/// Longest accepted id in characters: the length of a UUID.
const LONGEST: usize = 36;

/// An id of at most 36 printable ASCII characters without spaces.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CorrelationId(String);

impl CorrelationId {
    /// Makes a new random id (UUID version 4).
    pub fn generate() -> Self {
        Self(Uuid::new_v4().to_string())
    }

    /// Takes the id that a caller sent, or makes a new one when it sent none or one that could forge
    /// log lines or overflow a column.
    pub fn from_header(value: Option<&str>) -> Self {
        value.and_then(Self::accept).unwrap_or_else(Self::generate)
    }

    fn accept(value: &str) -> Option<Self> {
        let fits = !value.is_empty() && value.len() <= LONGEST;
        (fits && value.bytes().all(|byte| byte.is_ascii_graphic())).then(|| Self(value.to_owned()))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the id of the request that the current task works for.
pub fn current() -> Option<CorrelationId> {
    CURRENT.try_with(Clone::clone).ok()
}

/// Runs a future under an id. A task spawned inside does not inherit it: wrap it again.
pub fn scope<F: Future>(id: CorrelationId, future: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(id, future)
}

/// Runs a closure under an id, for work on a blocking thread.
pub fn sync_scope<T>(id: CorrelationId, work: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(id, work)
}

/// Calls `read` with the current id without copying it.
pub(crate) fn with_current<T>(read: impl FnOnce(Option<&str>) -> T) -> T {
    // `try_with` consumes the closure only when there is an id, so it is handed over by an option.
    let mut read = Some(read);
    let result = CURRENT.try_with(|id| read.take().map(|read| read(Some(id.as_str()))));
    match (result, read) {
        (Ok(Some(value)), _) => value,
        (_, Some(read)) => read(None),
        (_, None) => unreachable!("the closure is taken only when it is called"),
    }
}

#[cfg(test)]
mod tests {
    use super::{CorrelationId, current, scope, sync_scope, with_current};

    #[test]
    fn accepts_short_printable_ids_only() {
        assert_eq!(CorrelationId::from_header(Some("abc-1")).as_str(), "abc-1");
        for bad in ["", "with space", "line\nbreak", "ümlaut", &"x".repeat(37)] {
            let id = CorrelationId::from_header(Some(bad));
            assert_ne!(id.as_str(), bad);
            assert_eq!(id.as_str().len(), 36);
        }
        assert_ne!(CorrelationId::from_header(None), CorrelationId::from_header(None));
    }

    #[tokio::test]
    async fn is_scoped_to_the_future() {
        assert_eq!(current(), None);
        let id = CorrelationId::from_header(Some("one"));
        let seen = scope(id.clone(), async {
            tokio::task::yield_now().await;
            current()
        });
        assert_eq!(seen.await, Some(id.clone()));
        assert_eq!(current(), None);
        sync_scope(id, || with_current(|text| assert_eq!(text, Some("one"))));
        with_current(|text| assert_eq!(text, None));
    }
}
