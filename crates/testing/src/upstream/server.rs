//! The part that fake sources and fake models share: the listener, the script and the record.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use http::{HeaderMap, Uri};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::Behaviour;

/// A request as a fake endpoint got it.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Path and query.
    pub uri: Uri,
    /// Headers.
    pub headers: HeaderMap,
    /// Body; `Null` when it was no JSON.
    pub body: Value,
}

impl Recorded {
    /// A header's text, empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

#[derive(Debug)]
struct Script {
    usual: Behaviour,
    next: VecDeque<Behaviour>,
    requests: Vec<Recorded>,
}

/// What a server does and what it saw.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    script: Arc<Mutex<Script>>,
    seen: watch::Sender<usize>,
    cancelled: watch::Sender<usize>,
}

impl Shared {
    pub(super) fn new() -> Self {
        let script = Script { usual: Behaviour::Ok, next: VecDeque::new(), requests: Vec::new() };
        Self {
            script: Arc::new(Mutex::new(script)),
            seen: watch::Sender::new(0),
            cancelled: watch::Sender::new(0),
        }
    }

    fn script(&self) -> std::sync::MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a request and says what to do with it.
    pub(super) fn take(&self, uri: Uri, headers: HeaderMap, body: &[u8]) -> (Behaviour, Recorded) {
        let body = serde_json::from_slice(body).unwrap_or(Value::Null);
        let recorded = Recorded { uri, headers, body };
        let behaviour = {
            let mut script = self.script();
            script.requests.push(recorded.clone());
            script.next.pop_front().unwrap_or_else(|| script.usual.clone())
        };
        self.seen.send_modify(|count| *count += 1);
        (behaviour, recorded)
    }

    pub(super) fn always(&self, behaviour: Behaviour) {
        self.script().usual = behaviour;
    }

    pub(super) fn once(&self, behaviour: Behaviour) {
        self.script().next.push_back(behaviour);
    }

    pub(super) fn requests(&self) -> Vec<Recorded> {
        self.script().requests.clone()
    }

    pub(super) async fn wait_seen(&self, count: usize) {
        let arrived = self.seen.subscribe().wait_for(|seen| *seen >= count).await.is_ok();
        assert!(arrived, "a fake endpoint ended while a test waited for it");
    }

    pub(super) async fn wait_cancelled(&self, count: usize) {
        let arrived = self.cancelled.subscribe().wait_for(|seen| *seen >= count).await.is_ok();
        assert!(arrived, "a fake endpoint ended while a test waited for it");
    }

    /// Counts a cancellation when dropped before [`Unfinished::done`].
    pub(super) fn unfinished(&self) -> Unfinished {
        Unfinished(Some(self.cancelled.clone()))
    }
}

/// An answer that is not sent to its end yet.
pub(super) struct Unfinished(Option<watch::Sender<usize>>);

impl Unfinished {
    pub(super) fn done(&mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(cancelled) = self.0.take() {
            cancelled.send_modify(|count| *count += 1);
        }
    }
}

/// A listening server; it ends when dropped.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) address: SocketAddr,
    task: AbortHandle,
}

impl Listening {
    pub(super) async fn start(router: Router) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("no free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        #[expect(clippy::disallowed_methods, reason = "aborted when the fake server is dropped")]
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("a fake endpoint cannot serve");
        });
        Self { address, task: task.abort_handle() }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The handle that both kinds of fake endpoints offer.
macro_rules! fake {
    ($name:ident) => {
        impl $name {
            /// Base address without a trailing slash.
            pub fn url(&self) -> String {
                format!("http://{}", self.listening.address)
            }

            /// Does this with every request from now on.
            pub fn always(&self, behaviour: $crate::upstream::Behaviour) {
                self.shared.always(behaviour);
            }

            /// Does this with the next request only; calls queue up.
            pub fn once(&self, behaviour: $crate::upstream::Behaviour) {
                self.shared.once(behaviour);
            }

            /// What was asked so far, oldest first.
            pub fn requests(&self) -> Vec<$crate::upstream::Recorded> {
                self.shared.requests()
            }

            /// Waits until so many requests have arrived.
            pub async fn wait_seen(&self, count: usize) {
                self.shared.wait_seen(count).await;
            }

            /// Waits until so many callers went away before their answer was complete.
            pub async fn wait_cancelled(&self, count: usize) {
                self.shared.wait_cancelled(count).await;
            }
        }
    };
}

pub(super) use fake;
