//! How endpoints have done lately, as the chat services report and read it; over both transports.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use syfthub_domain::{Clock as _, ErrorCode, Timestamp};
use syfthub_proto::directory::{
    Breaker, BreakerState, DescribeEndpointsRequest, Description, Place, ReportBreakersRequest,
    ResolveEndpointsRequest,
};
use syfthub_proto::usage::{Entry, Outcome, Part, RecordRequest};
use syfthub_rpc::status::from_status;
use syfthub_rpc::{Caller, InternalKey, LinkedTask, Peer, Server, connect, spawn_linked, stubs};
use syfthub_store::uptime::{self, Sample};
use tokio::net::TcpListener;

use crate::actor::{Actor, TestApp};

const ONE: &str = "01980a3e-5d0c-7c52-b7a1-5f6f3f0f9f10";
const TWO: &str = "01980a3e-5d0c-7c52-b7a1-5f6f3f0f9f11";
const AT: &str = "https://Node.example:443/";

/// A call in the process, and the same over the network.
const TRANSPORTS: [bool; 2] = [false, true];

/// The hub, and its server for as long as it is needed.
async fn peer(app: &TestApp, over_network: bool) -> (Peer, Option<LinkedTask<std::io::Result<()>>>) {
    if !over_network {
        return (app.peer(Caller::Aggregator), None);
    }
    let key = InternalKey::new([7; 32]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = spawn_linked(Server::new(app.app.grpc(), &key).serve(listener, std::future::pending()));
    (connect(&url, Caller::Aggregator, &key).unwrap(), Some(serving))
}

async fn publish(owner: &Actor, slug: &str, config: Value) -> i64 {
    let connect = json!([{"type": "http", "config": config}]);
    owner.publish(slug, json!({"connect": connect})).await["id"].as_i64().unwrap()
}

fn place(path: &str, url: &str, tenant: &str) -> Place {
    Place { path: path.to_owned(), url: url.to_owned(), tenant_name: tenant.to_owned() }
}

fn breaker(place: Place, state: BreakerState) -> Breaker {
    Breaker { place: Some(place), connection_type: String::new(), state: state.into(), failures: 5 }
}

async fn report(peer: &Peer, reporter: &str, breakers: Vec<Breaker>) -> Result<u32, ErrorCode> {
    let request = ReportBreakersRequest { reporter: reporter.to_owned(), breakers };
    let taken = stubs::directory_client(peer.clone()).report_breakers(request).await;
    taken.map(|answer| answer.into_inner().taken).map_err(|status| from_status(&status).code)
}

async fn describe(peer: &Peer, places: &[Place]) -> Vec<Description> {
    let request = DescribeEndpointsRequest { places: places.to_vec() };
    stubs::directory_client(peer.clone()).describe_endpoints(request).await.unwrap().into_inner().descriptions
}

async fn resolved(peer: &Peer, path: &str) -> BreakerState {
    let request = ResolveEndpointsRequest { credential: String::new(), paths: vec![path.to_owned()] };
    let found = stubs::directory_client(peer.clone()).resolve_endpoints(request).await.unwrap().into_inner();
    found.endpoints[0].breaker()
}

async fn shown(who: &Actor, slug: &str) -> Value {
    who.get(&format!("/api/v1/endpoints/ada/{slug}/uptime")).await.expect(StatusCode::OK)["breaker"].clone()
}

#[tokio::test]
async fn a_breaker_is_seen_everywhere_until_nobody_repeats_it() {
    for over_network in TRANSPORTS {
        let (app, anon, ada) = TestApp::start().await.with_user("ada").await;
        let (hub, _serving) = peer(&app, over_network).await;
        publish(&ada, "notes", json!({"url": "https://node.example"})).await;
        let notes = || place("Ada/notes", AT, "");
        assert_eq!(resolved(&hub, "ada/notes").await, BreakerState::Closed);
        assert_eq!(shown(&anon, "notes").await, Value::Null);
        assert_eq!(report(&hub, ONE, vec![breaker(notes(), BreakerState::Open)]).await, Ok(1));
        assert_eq!(report(&hub, TWO, vec![breaker(notes(), BreakerState::HalfOpen)]).await, Ok(1));
        assert_eq!(resolved(&hub, "ada/notes").await, BreakerState::Open);
        assert_eq!(describe(&hub, &[notes()]).await[0].breaker(), BreakerState::Open);
        assert_eq!(shown(&anon, "notes").await, json!({"state": "open", "failures": 5, "reporters": 2}));
        // The health is what looks and reports of the owner say.
        let public = anon.get("/api/v1/endpoints/public/ada/notes").await.expect(StatusCode::OK);
        assert_eq!(public["health_status"], Value::Null);
        assert_eq!(report(&hub, ONE, vec![]).await, Ok(0));
        assert_eq!(shown(&anon, "notes").await["state"], "half_open");
        app.clock.advance(Duration::from_secs(90));
        assert_eq!(shown(&anon, "notes").await, Value::Null);
        assert_eq!(resolved(&hub, "ada/notes").await, BreakerState::Closed);
    }
}

#[tokio::test]
async fn only_the_published_address_speaks_for_an_endpoint() {
    let (app, anon, ada) = TestApp::start().await.with_user("ada").await;
    let (hub, _) = peer(&app, false).await;
    publish(&ada, "notes", json!({"url": "https://node.example", "tenant_name": "t"})).await;
    let strange = [
        breaker(place("ada/notes", "https://evil.example", "t"), BreakerState::Open),
        breaker(place("ada/notes", "https://node.example/other", "t"), BreakerState::Open),
        breaker(place("ada/notes", "http://node.example", "t"), BreakerState::Open),
        breaker(place("ada/notes", AT, ""), BreakerState::Open),
        breaker(place("ada/notes", AT, "other"), BreakerState::Open),
        breaker(place("eve/notes", AT, "t"), BreakerState::Open),
        breaker(place("a\0b", "no address", "t"), BreakerState::Open),
        Breaker {
            connection_type: "openai".to_owned(),
            ..breaker(place("ada/notes", AT, "t"), BreakerState::Open)
        },
        Breaker { place: None, ..breaker(place("", "", ""), BreakerState::Open) },
    ];
    assert_eq!(report(&hub, ONE, strange.to_vec()).await, Ok(0));
    assert_eq!(shown(&anon, "notes").await, Value::Null);
    let good = breaker(place("ada/notes", AT, "t"), BreakerState::Open);
    assert_eq!(report(&hub, ONE, vec![good.clone(), good.clone()]).await, Ok(1));
    assert_eq!(shown(&anon, "notes").await["failures"], 5);
    for (reporter, breakers) in [
        ("somebody", vec![]),
        (ONE, vec![good.clone(); 501]),
        (ONE, vec![breaker(place("ada/notes", AT, "t"), BreakerState::Closed)]),
    ] {
        assert_eq!(report(&hub, reporter, breakers).await, Err(ErrorCode::BadRequest), "{reporter}");
    }
    let many = DescribeEndpointsRequest { places: vec![place("ada/notes", AT, "t"); 51] };
    let refused = stubs::directory_client(hub).describe_endpoints(many).await.unwrap_err();
    assert_eq!(from_status(&refused).code, ErrorCode::BadRequest);
}

#[tokio::test]
async fn a_record_is_made_of_looks_and_of_what_others_called() {
    for over_network in TRANSPORTS {
        let (app, _, ada) = TestApp::start().await.with_user("ada").await;
        let (hub, _serving) = peer(&app, over_network).await;
        let bob = app.user("bob").await;
        let id = publish(&ada, "writer", json!({"url": "https://node.example", "model": "m-1"})).await;
        let hour = Timestamp::from_secs(app.clock.now().as_secs() / 3600 * 3600);
        let mut tx = app.db.begin().await.unwrap();
        for (ago, healthy) in [(24 * 8, false), (24, true), (2, true), (1, false)] {
            let sample = Sample { endpoint: syfthub_domain::EndpointId(id), healthy, weight: 1 };
            uptime::add(&mut tx, hour.minus(Duration::from_hours(ago)), &[sample]).await.unwrap();
        }
        tx.commit().await.unwrap();
        let entry = |user_id, outcome: Outcome| Entry {
            at_us: app.clock.now().as_micros(),
            path: "ada/writer".to_owned(),
            url: AT.to_owned(),
            part: Part::Model.into(),
            outcome: outcome.into(),
            user_id,
            requests: 1,
            ..Entry::default()
        };
        let entries = vec![
            entry(bob.id, Outcome::Success),
            entry(bob.id, Outcome::Timeout),
            entry(bob.id, Outcome::RateLimited),
            entry(ada.id, Outcome::Success),
            entry(0, Outcome::Error),
        ];
        let request = RecordRequest { batch_id: ONE.to_owned(), entries };
        stubs::usage_client(hub.clone()).record(request).await.unwrap();
        let places = [
            place("ada/nothing", AT, ""),
            place("ADA/writer", AT, ""),
            place("ada/writer", "https://evil.example", ""),
        ];
        let described = describe(&hub, &places).await;
        assert_eq!(
            (described.len(), &described[0], &described[2]),
            (3, &Description::default(), &described[0])
        );
        let writer = &described[1];
        assert_eq!(
            (writer.is_published, writer.connection_type.as_str(), writer.upstream_model.as_str()),
            (true, "http", "m-1")
        );
        assert_eq!((writer.checks, writer.healthy_checks, writer.votes), (3, 2, 2));
        assert!((writer.good_votes - 0.5).abs() < 1e-9, "{writer:?}");
        assert_eq!((writer.breaker(), writer.health_status.as_str()), (BreakerState::Closed, ""));
    }
}
