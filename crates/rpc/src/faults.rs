//! Faults of calls: told where they become a status, and sent to the hub by services that have no database.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use syfthub_domain::fault::{FaultReport, FaultSink};
use syfthub_domain::{Error, SharedClock, Timestamp};
use syfthub_logging::correlation::{self, CorrelationId};
use syfthub_proto::ops::{ErrorReport, ReportErrorsRequest};
use tokio::sync::Notify;
use tonic::{Code, Status};

use crate::{LinkedTask, Peer, spawn_apart, stubs, with_deadline};

/// Reports that may wait; what comes beyond is lost, and counted.
const CAPACITY: usize = 200;
/// Reports of one call.
const BATCH: usize = 50;
/// Longest text of a report, in characters.
const LONGEST: usize = 10_000;
/// Time for one call.
const DEADLINE: Duration = Duration::from_secs(5);
/// Time between two tries while the hub does not answer.
const PAUSE: Duration = Duration::from_secs(5);

tokio::task_local! {
    static PLACE: Place;
}

/// Which call is being answered, and who wants to hear of its faults.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) sink: FaultSink,
    pub(crate) path: Arc<str>,
}

/// Answers a call at this place.
pub(crate) fn scope<F: Future>(place: Place, answer: F) -> impl Future<Output = F::Output> {
    PLACE.scope(place, answer)
}

/// The same for a part of an answer.
pub(crate) fn sync_scope<T>(place: Place, work: impl FnOnce() -> T) -> T {
    PLACE.sync_scope(place, work)
}

/// Tells of an error that ends the call that is being answered, if it is a fault.
pub(crate) fn tell(error: &Error) {
    let _ = PLACE.try_with(|place| {
        let id = correlation::current().unwrap_or_else(CorrelationId::generate);
        if let Some(report) = FaultReport::of(error, id.as_str().to_owned(), "RPC", &place.path) {
            place.sink.take(report);
        }
    });
}

/// A sink that sends what it takes to the hub, soon and in batches. While the hub does not answer, reports wait; the
/// oldest are kept, since they show how it began.
pub fn sent_to(hub: Peer, clock: SharedClock) -> FaultSink {
    let queue = Arc::new(Queue { hub, clock, waiting: Mutex::default(), more: Notify::new() });
    // Begun by the first report: whoever builds a service need not be inside a runtime.
    let task: OnceLock<LinkedTask<()>> = OnceLock::new();
    FaultSink::new(move |report| {
        queue.add(report);
        task.get_or_init(|| {
            let queue = Arc::clone(&queue);
            let sending = async move { queue.send_forever().await };
            spawn_apart(correlation::scope(CorrelationId::generate(), sending))
        });
    })
}

struct Queue {
    hub: Peer,
    clock: SharedClock,
    waiting: Mutex<Waiting>,
    more: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    reports: VecDeque<(Timestamp, FaultReport)>,
    left_out: u64,
}

impl Queue {
    fn add(&self, report: FaultReport) {
        let now = self.clock.now();
        let mut waiting = self.lock();
        if waiting.reports.len() >= CAPACITY {
            waiting.left_out += 1;
            return;
        }
        waiting.reports.push_back((now, report));
        drop(waiting);
        self.more.notify_one();
    }

    async fn send_forever(&self) {
        loop {
            self.more.notified().await;
            while let Some((count, batch)) = self.batch() {
                match self.send(batch).await {
                    Err(status) if matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded) => {
                        tracing::debug!(%status, "faults.not_sent");
                        tokio::time::sleep(PAUSE).await;
                    }
                    outcome => {
                        self.done(count);
                        if let Err(status) = outcome {
                            tracing::warn!(%status, "faults.refused");
                        }
                    }
                }
            }
        }
    }

    /// The oldest reports; they stay in the queue until they have arrived.
    fn batch(&self) -> Option<(usize, ReportErrorsRequest)> {
        let waiting = self.lock();
        let reports: Vec<ErrorReport> = waiting.reports.iter().take(BATCH).map(to_wire).collect();
        (!reports.is_empty()).then_some((reports.len(), ReportErrorsRequest { reports }))
    }

    fn done(&self, sent: usize) {
        let mut waiting = self.lock();
        waiting.reports.drain(..sent);
        let left_out = std::mem::take(&mut waiting.left_out);
        drop(waiting);
        if left_out > 0 {
            tracing::warn!(left_out, "faults.left_out");
        }
    }

    async fn send(&self, batch: ReportErrorsRequest) -> Result<(), Status> {
        let request = with_deadline(tonic::Request::new(batch), DEADLINE);
        stubs::ops_client(self.hub.clone()).report_errors(request).await.map(drop)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn to_wire((at, report): &(Timestamp, FaultReport)) -> ErrorReport {
    let clipped = |text: &str| text.chars().take(LONGEST).collect::<String>();
    ErrorReport {
        correlation_id: report.correlation_id.clone(),
        occurred_at_us: at.as_micros(),
        event: report.event.to_owned(),
        message: report.message.as_deref().map(clipped),
        code: report.code.map(|code| code.name().to_owned()),
        chain: clipped(&report.chain),
        method: report.method.clone(),
        path: clipped(&report.path),
        query: report.query.as_deref().map(clipped),
        status: report.status.into(),
    }
}
