//! Who hears of calls that end with a fault, and how other services tell the hub of theirs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use syfthub_domain::fault::{FaultReport, FaultSink, UNHANDLED};
use syfthub_domain::{Clock, Error, FixedClock, Timestamp};
use syfthub_logging::correlation::{self, CorrelationId};
use syfthub_proto::ops::ops_service_server::OpsService;
use syfthub_proto::ops::{
    ErrorReport, ListKeysRequest, ListKeysResponse, ReportErrorsRequest, ReportErrorsResponse,
    RetireKeyRequest, RetireKeyResponse, RotateKeyRequest, RotateKeyResponse,
};
use syfthub_rpc::{Caller, stubs};
use tokio::sync::mpsc;
use tonic::{Request, Response, Status};

use crate::fixture::{KEY, ask, both_reporting, find};

const ID: &str = "my-request-1";

fn collected() -> (FaultSink, Arc<Mutex<Vec<FaultReport>>>) {
    let told: Arc<Mutex<Vec<FaultReport>>> = Arc::default();
    let sink = Arc::clone(&told);
    (FaultSink::new(move |report| sink.lock().unwrap().push(report)), told)
}

fn id() -> CorrelationId {
    CorrelationId::from_header(Some(ID))
}

#[tokio::test]
async fn faults_of_calls_are_told_with_their_causes_and_refusals_are_not() {
    let (sink, told) = collected();
    for fixture in both_reporting(sink).await {
        told.lock().unwrap().clear();
        let mut client = stubs::identity_client(fixture.peer.clone());
        let calls = async {
            client.find_user(find("ada")).await.unwrap();
            client.find_user(find("missing")).await.unwrap_err();
            client.find_user(find("panic")).await.unwrap_err();
            let mut client = stubs::chat_client(fixture.peer.clone());
            let stream = client.ask(ask("then panic", 1, 1)).await.unwrap().into_inner();
            assert!(stream.collect::<Vec<_>>().await.last().unwrap().is_err());
        };
        correlation::scope(id(), calls).await;
        let told = told.lock().unwrap();
        let facts: Vec<_> = told.iter().map(|report| (report.path.as_str(), report.event)).collect();
        let expected = [
            ("/syfthub.identity.v1.IdentityService/FindUser", UNHANDLED),
            ("/syfthub.chat.v1.ChatService/Ask", UNHANDLED),
        ];
        assert_eq!(facts, expected, "{}", fixture.transport);
        for report in told.iter() {
            assert_eq!((report.correlation_id.as_str(), report.method.as_str()), (ID, "RPC"));
            assert!(report.chain.contains("fell over"), "{}: {}", fixture.transport, report.chain);
        }
    }
}

/// A hub that refuses some calls, then takes the rest.
struct Hub {
    refusals: Mutex<Vec<Status>>,
    taken: mpsc::UnboundedSender<ReportErrorsRequest>,
}

#[tonic::async_trait]
impl OpsService for Hub {
    async fn report_errors(
        &self,
        request: Request<ReportErrorsRequest>,
    ) -> Result<Response<ReportErrorsResponse>, Status> {
        if let Some(refusal) = self.refusals.lock().unwrap().pop() {
            return Err(refusal);
        }
        self.taken.send(request.into_inner()).unwrap();
        Ok(Response::new(ReportErrorsResponse {}))
    }

    async fn list_keys(&self, _: Request<ListKeysRequest>) -> Result<Response<ListKeysResponse>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn rotate_key(&self, _: Request<RotateKeyRequest>) -> Result<Response<RotateKeyResponse>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn retire_key(&self, _: Request<RetireKeyRequest>) -> Result<Response<RetireKeyResponse>, Status> {
        Err(Status::unimplemented("not needed"))
    }
}

fn sender(
    refusals: Vec<Status>,
) -> (FaultSink, mpsc::UnboundedReceiver<ReportErrorsRequest>, Arc<FixedClock>) {
    let (taken, received) = mpsc::unbounded_channel();
    let hub = Hub { refusals: Mutex::new(refusals), taken };
    let routes = tonic::service::Routes::new(stubs::ops_server(hub));
    let clock = FixedClock::new(Timestamp::from_secs(1_800_000_000));
    let peer = syfthub_rpc::local(routes, Caller::Mcp, &KEY);
    (syfthub_rpc::sent_to(peer, clock.clone()), received, clock)
}

fn report(number: usize) -> FaultReport {
    let error = Error::internal(format!("cause {number}"));
    FaultReport::of(&error, ID.to_owned(), "GET", "/x").unwrap()
}

async fn received(hub: &mut mpsc::UnboundedReceiver<ReportErrorsRequest>, count: usize) -> Vec<ErrorReport> {
    let mut all = Vec::new();
    while all.len() < count {
        all.extend(hub.recv().await.unwrap().reports);
    }
    all
}

#[tokio::test]
async fn reports_arrive_in_order_and_only_once() {
    let (sink, mut hub, clock) = sender(Vec::new());
    for number in 0..120 {
        sink.take(report(number));
    }
    let all = received(&mut hub, 120).await;
    let causes: Vec<_> = all.iter().map(|report| report.chain.clone()).collect();
    assert_eq!(causes, (0..120).map(|number| format!("cause {number}")).collect::<Vec<_>>());
    assert_eq!((all[0].correlation_id.as_str(), all[0].status), (ID, 500));
    assert_eq!(all[0].code.as_deref(), Some("INTERNAL_ERROR"));
    assert_eq!(all[0].occurred_at_us, clock.now().as_micros());
    sink.take(report(120));
    assert_eq!(received(&mut hub, 1).await[0].chain, "cause 120");
}

#[tokio::test(start_paused = true)]
async fn reports_wait_for_a_hub_that_is_away_and_a_flood_is_cut() {
    let (sink, mut hub, clock) = sender(vec![Status::unavailable("away"); 3]);
    for number in 0..1000 {
        sink.take(report(number));
    }
    let began = clock.now();
    clock.advance(Duration::from_mins(1));
    let all = received(&mut hub, 200).await;
    assert_eq!((all.len(), all[0].chain.as_str(), all[199].chain.as_str()), (200, "cause 0", "cause 199"));
    assert!(
        all.iter().all(|report| report.occurred_at_us == began.as_micros()),
        "when it happened, not when it was sent"
    );
}

#[tokio::test]
async fn a_hub_that_does_not_know_the_call_is_not_asked_again_with_the_same() {
    let (sink, mut hub, _) = sender(vec![Status::unimplemented("an older hub")]);
    sink.take(report(0));
    // The first batch is given up; what comes after it is sent.
    let mut number = 1;
    let first = loop {
        sink.take(report(number));
        number += 1;
        if let Ok(request) = hub.try_recv() {
            break request.reports[0].chain.clone();
        }
        tokio::task::yield_now().await;
    };
    assert_ne!(first, "cause 0");
}
