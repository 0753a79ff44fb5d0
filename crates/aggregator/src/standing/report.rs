//! Tells the hub which endpoints are left alone here, so that everybody can see it.
//!
//! All of them at every change, and again while there are any: what is not repeated the hub forgets, so nothing has to
//! be taken back by a process that is gone.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use syfthub_proto::directory::{Breaker, BreakerState as Wire, ReportBreakersRequest};
use syfthub_rpc::{LinkedTask, Peer, spawn_apart, status, stubs, with_deadline};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{TARGET, place};
use crate::space::{BreakerState, Breakers, Failing};

/// How long changes gather before they are told.
const LINGER: Duration = Duration::from_millis(200);
/// When to say again what is still true; the hub believes it for three times as long.
const REPEAT: Duration = Duration::from_secs(30);
/// Longest wait for the hub.
const DEADLINE: Duration = Duration::from_secs(3);
/// Most breakers of one report, the limit of the contract.
const MOST: usize = 500;

/// Reports. A clone reports the same.
#[derive(Debug, Clone)]
pub(crate) struct Reporter {
    shared: Arc<Shared>,
    task: Arc<OnceLock<LinkedTask<()>>>,
}

#[derive(Debug)]
struct Shared {
    hub: Peer,
    breakers: Arc<Breakers>,
    /// The name of this process; whoever starts anew says nothing for the one before.
    id: String,
    /// Whether the hub believes something of us. Whoever tells it something holds this.
    has_said: Mutex<bool>,
}

impl Reporter {
    /// Tells `hub` of `breakers`.
    pub(crate) fn new(hub: Peer, breakers: Arc<Breakers>) -> Self {
        let shared = Shared { hub, breakers, id: Uuid::new_v4().to_string(), has_said: Mutex::default() };
        Self { shared: Arc::new(shared), task: Arc::default() }
    }

    /// Begins, if it has not.
    pub(crate) fn start(&self) {
        self.task.get_or_init(|| spawn_apart(report_forever(Arc::clone(&self.shared))));
    }

    /// Takes everything back, before the process ends.
    pub(crate) async fn withdraw(&self) {
        let mut has_said = self.shared.has_said.lock().await;
        if *has_said {
            *has_said = self.shared.send(Vec::new()).await;
        }
    }
}

async fn report_forever(shared: Arc<Shared>) {
    loop {
        let changed = shared.breakers.changed();
        if *shared.has_said.lock().await {
            let _ = tokio::time::timeout(REPEAT, changed).await;
        } else {
            changed.await;
        }
        tokio::time::sleep(LINGER).await;
        shared.tell().await;
    }
}

impl Shared {
    async fn tell(&self) {
        let mut breakers: Vec<Breaker> = self.breakers.failing().iter().filter_map(to_wire).collect();
        breakers.truncate(MOST);
        let mut has_said = self.has_said.lock().await;
        if *has_said || !breakers.is_empty() {
            let is_something = !breakers.is_empty();
            // What did not arrive is told again.
            *has_said = !self.send(breakers).await || is_something;
        }
    }

    /// Whether it arrived.
    async fn send(&self, breakers: Vec<Breaker>) -> bool {
        let count = breakers.len();
        let request = ReportBreakersRequest { reporter: self.id.clone(), breakers };
        let request = with_deadline(tonic::Request::new(request), DEADLINE);
        let Err(refusal) = stubs::directory_client(self.hub.clone()).report_breakers(request).await else {
            return true;
        };
        let code = status::from_status(&refusal).code.name();
        tracing::warn!(target: TARGET, code, count, "endpoint.breaker.unreported");
        // A hub of an older version never takes it.
        refusal.code() == tonic::Code::Unimplemented
    }
}

/// An endpoint under a name that somebody called it by; the hub finds out whether it is its own.
fn to_wire(failing: &Failing) -> Option<Breaker> {
    let endpoint = &failing.endpoint;
    let state = match failing.state {
        BreakerState::Closed => return None,
        BreakerState::Open => Wire::Open,
        BreakerState::HalfOpen => Wire::HalfOpen,
    };
    Some(Breaker {
        place: Some(place(endpoint.owner_username.as_deref()?, endpoint)),
        connection_type: endpoint.connection.as_str().to_owned(),
        state: state.into(),
        failures: failing.failures,
    })
}
