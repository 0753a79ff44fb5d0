//! Error reports: of the web app, of our services, and of the hub about itself.

use std::net::IpAddr;
use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use syfthub_domain::fault::FaultReport;
use syfthub_domain::{Clock as _, Error};
use syfthub_proto::ops::{ErrorReport, ReportErrorsRequest};
use syfthub_rpc::{Caller, stubs};
use syfthub_store::error_logs::{self, ErrorLogFilter, NewErrorLog};
use syfthub_web::{ClientIp, PeerAddress};

use crate::actor::{Actor, TestApp};
use crate::shorthand::each;

const REPORT: &str = "/api/v1/errors/report";
const SERVICE: &str = "/api/v1/errors/service-report";

fn fault() -> Value {
    json!({"message": "It broke", "error": {"type": "TypeError"}})
}

async fn found(admin: &Actor, query: &str) -> Value {
    admin.get(&format!("/api/v1/admin/errors?{query}")).await.expect(StatusCode::OK)
}

#[tokio::test]
async fn a_report_of_the_web_app_is_found_by_its_correlation_id() {
    let (app, anon, user) = TestApp::start().await.with_user("bob").await;
    let body = json!({
        "correlation_id": "c-1", "event": "frontend.crash", "message": "It broke",
        "error": {"type": "TypeError", "stack_trace": "at x"},
        "context": {"url": "https://hub.example.org/browse?token=abc", "app_state": {"api_key": "k"}},
    });
    let receipt = user.post(REPORT, &body).await.expect(StatusCode::ACCEPTED);
    assert_eq!(receipt, json!({"received": true, "correlation_id": "c-1"}));
    let other = anon.post(REPORT, &fault()).await;
    assert_eq!(other.expect(StatusCode::ACCEPTED)["correlation_id"], other.header("x-correlation-id"));
    app.with_token("junk").post(REPORT, &fault()).await.expect(StatusCode::ACCEPTED);

    let admin = app.admin().await;
    let list = found(&admin, "correlation_id=c-1").await;
    assert_eq!(list["total"], 1);
    let row = &list["items"][0];
    assert_eq!(
        (&row["service"], &row["method"], &row["endpoint"], &row["user_id"], &row["event"]),
        (
            &json!("frontend"),
            &json!("CLIENT"),
            &json!("https://hub.example.org/browse?token=[REDACTED]"),
            &json!(user.id),
            &json!("frontend.crash")
        )
    );
    let detail = admin.get(&format!("/api/v1/admin/errors/{}", row["id"])).await.expect(StatusCode::OK);
    assert_eq!(
        (&detail["stack_trace"], &detail["context"]["app_state"]),
        (&json!("at x"), &json!({"api_key": "[REDACTED]"}))
    );
    assert_eq!(found(&admin, "service=frontend").await["total"], 3);
    assert_eq!(found(&admin, "event=frontend.error.unhandled&page_size=1").await["total_pages"], 2);
    assert_eq!(found(&admin, "since=2027-01-15T08:00:00Z").await["total"], 3);
    assert_eq!(found(&admin, "until=2027-01-15T08:00:00Z").await["total"], 0);
    assert_eq!(found(&admin, &format!("user_id={}", user.id)).await["total"], 1);
    let wrong = admin.get("/api/v1/admin/errors?since=noon&user_id=x&page=0").await;
    assert_eq!(wrong.refused_fields(), ["page", "since", "user_id"]);
    admin.get("/api/v1/admin/errors/999").await.refused(404);
    for path in ["/api/v1/admin/errors", "/api/v1/admin/errors/1"] {
        anon.get(path).await.refused(401);
        user.get(path).await.refused(403);
    }
}

#[tokio::test]
async fn reports_are_limited_in_size_and_number_and_all_faults_are_told() {
    let app = TestApp::start().await;
    let anon = app.anon();
    assert_eq!(
        anon.post(REPORT, &json!({"error": {}, "context": 7})).await.refused_fields(),
        ["message", "type", "context"]
    );
    let mut large = fault();
    large["message"] = "x".repeat(65 * 1024).into();
    anon.post(REPORT, &large).await.is(413);
    anon.post(SERVICE, &large).await.is(413);
    let mut answers = Vec::new();
    for _ in 0..31 {
        answers.push(anon.post(REPORT, &fault()).await.status.as_u16());
    }
    assert!(answers[..29].iter().all(|status| *status == 202), "{answers:?}");
    assert_eq!(answers[30], 429);
}

#[tokio::test]
async fn services_report_from_inside_only() {
    let app = TestApp::start().await;
    let body = json!({
        "service": "aggregator", "event": "chat.failed", "message": "It broke", "level": "critical",
        "correlation_id": "c-2", "endpoint": "/api/v1/chat", "method": "POST", "error_code": "E1",
        "request_data": {"prompt": "hi", "password": "x"}, "response_data": [1],
    });
    let from = async |address: &str| {
        let mut request = Request::post(SERVICE).header("content-type", "application/json");
        let ip: IpAddr = address.parse().unwrap();
        request.extensions_mut().unwrap().insert(ClientIp(ip));
        app.anon().raw(request.body(Body::from(body.to_string())).unwrap()).await
    };
    from("203.0.113.9").await.refused(404);
    // Through a proxy, trusted or not, in a private network: it is the client that counts.
    for (header, value) in [
        ("x-real-ip", "203.0.113.9"),
        ("x-forwarded-for", "203.0.113.9, 10.0.0.1"),
        ("x-real-ip", "somebody"),
    ] {
        for peer in ["127.0.0.1", "10.0.0.7"] {
            let mut request = Request::post(SERVICE).header("content-type", "application/json");
            let peer = PeerAddress(peer.parse().unwrap());
            request.extensions_mut().unwrap().insert(peer);
            let request = request.header(header, value).body(Body::from(body.to_string())).unwrap();
            app.anon().raw(request).await.refused(404);
        }
    }
    let receipt = from("10.0.0.7").await.expect(StatusCode::ACCEPTED);
    assert_eq!(receipt["correlation_id"], "c-2");
    assert_eq!(app.anon().post(SERVICE, &json!({})).await.refused_fields(), ["service", "event", "message"]);
    let admin = app.admin().await;
    let list = found(&admin, "").await;
    assert_eq!((list["total"].clone(), &list["items"][0]["level"]), (json!(1), &json!("CRITICAL")));
    let detail = admin.get(&format!("/api/v1/admin/errors/{}", list["items"][0]["id"])).await.json();
    assert_eq!(detail["request_data"], json!({"prompt": "hi", "password": "[REDACTED]"}));
}

#[tokio::test]
async fn every_fault_of_the_hub_is_written_with_its_caller() {
    let (app, anon, user) = TestApp::start().await.with_user("bob").await;
    let admin = app.admin().await;
    let failed = user.get("/api/v1/nats/credentials?token=abc").await;
    failed.is(503);
    anon.get("/api/v1/nothing").await.refused(404);
    let id = failed.header("x-correlation-id").to_owned();
    let list = found(&admin, &format!("correlation_id={id}")).await;
    assert_eq!(list["total"], 1, "{list}");
    let row = &list["items"][0];
    assert_eq!(
        (&row["service"], &row["event"], &row["error_code"], &row["user_id"]),
        (&json!("backend"), &json!("error.domain"), &json!("NOT_CONFIGURED"), &json!(user.id))
    );
    assert_eq!((&row["endpoint"], &row["method"]), (&json!("/api/v1/nats/credentials"), &json!("GET")));
    let detail = admin.get(&format!("/api/v1/admin/errors/{}", row["id"])).await.expect(StatusCode::OK);
    assert_eq!(detail["context"], json!({"status": 503, "query": "token=[REDACTED]"}));
    assert_eq!(found(&admin, "").await["total"], 1, "what is no fault is not written");
}

#[tokio::test]
async fn old_reports_are_deleted_once_a_day_by_one_replica() {
    let app =
        TestApp::start_with(|settings| settings.optional.error_retention = Duration::from_hours(48)).await;
    let purged = async |app: &TestApp, day: &str| {
        let day = day.to_owned();
        let db = app.db.clone();
        let is_done = async || {
            syfthub_store::settings::get(&db, "error_logs.purged_on").await.unwrap() == Some(day.clone())
        };
        syfthub_testing::wait::until(is_done, "the daily deletion").await;
    };
    purged(&app, "2027-01-15").await;
    let mut tx = app.db.begin().await.unwrap();
    let now = syfthub_domain::Clock::now(app.clock.as_ref());
    for age in [1, 3] {
        let timestamp = Some(now.minus(Duration::from_hours(24 * age)));
        let row = NewErrorLog { correlation_id: age.to_string(), timestamp, ..NewErrorLog::default() };
        error_logs::insert(&mut tx, &[row], now).await.unwrap();
    }
    tx.commit().await.unwrap();
    let left = async || error_logs::count(&app.db, &ErrorLogFilter::default()).await.unwrap();
    let same_day = app.replica().await;
    same_day.app.close().await;
    assert_eq!(left().await, 2, "it was done today");
    app.clock.advance(Duration::from_hours(24));
    let next_day = app.replica().await;
    purged(&next_day, "2027-01-16").await;
    syfthub_testing::wait::until(async || left().await == 1, "the older report to go").await;
}

#[tokio::test]
async fn what_waits_is_written_when_the_hub_stops() {
    let app = TestApp::start().await;
    app.anon().post(REPORT, &fault()).await.expect(StatusCode::ACCEPTED);
    app.app.close().await;
    let again = app.restarted_with(|_| {}).await;
    let rows = error_logs::count(&again.db, &ErrorLogFilter::default()).await.unwrap();
    assert_eq!(rows, 1);
}

#[tokio::test]
async fn reports_go_to_postgres_as_well() {
    let app = TestApp::start_on_postgres().await;
    app.anon().post(REPORT, &fault()).await.expect(StatusCode::ACCEPTED);
    let admin = app.admin().await;
    assert_eq!(each(&found(&admin, "service=frontend").await["items"], "message"), ["It broke"]);
}

#[tokio::test]
async fn faults_of_the_other_services_stand_beside_the_hubs_own() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let now = app.clock.now();
    let report = |correlation_id: &str, occurred_at_us: i64| ErrorReport {
        correlation_id: correlation_id.to_owned(),
        occurred_at_us,
        event: "error.unhandled".to_owned(),
        message: Some("Internal server error".to_owned()),
        code: Some("INTERNAL_ERROR".to_owned()),
        chain: "the disk is on fire".to_owned(),
        method: "POST".to_owned(),
        path: "/api/v1/chat".to_owned(),
        query: Some("token=abc&page=2".to_owned()),
        status: 500,
    };
    for (caller, service) in [(Caller::Aggregator, "aggregator"), (Caller::Mcp, "mcp")] {
        let id = format!("request-of-{service}");
        let before = now.minus(Duration::from_mins(1)).as_micros();
        let reports = vec![report(&id, before)];
        let mut ops = stubs::ops_client(app.peer(caller));
        ops.report_errors(ReportErrorsRequest { reports }).await.unwrap();
        let list = found(&admin, &format!("correlation_id={id}")).await;
        let row = &list["items"][0];
        assert_eq!((&list["total"], &row["service"]), (&json!(1), &json!(service)));
        assert_eq!(
            (&row["error_code"], &row["endpoint"]),
            (&json!("INTERNAL_ERROR"), &json!("/api/v1/chat"))
        );
        assert_eq!(row["timestamp"], now.minus(Duration::from_mins(1)).to_rfc3339());
        let whole = admin.get(&format!("/api/v1/admin/errors/{}", row["id"])).await.expect(StatusCode::OK);
        assert_eq!(whole["stack_trace"], "the disk is on fire");
        assert_eq!(whole["context"], json!({"status": 500, "query": "token=[REDACTED]&page=2"}));
    }
}

#[tokio::test]
async fn odd_reports_of_a_service_are_clipped_and_too_many_refused() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let long = "x".repeat(50_000);
    let odd = ErrorReport {
        correlation_id: "two words\n".to_owned(),
        occurred_at_us: i64::MAX,
        event: long.clone(),
        message: Some(long.clone()),
        code: Some(long.clone()),
        chain: long.clone(),
        method: long.clone(),
        path: format!("/{long}"),
        query: Some(long),
        status: u32::MAX,
    };
    let mut ops = stubs::ops_client(app.peer(Caller::Mcp));
    ops.report_errors(ReportErrorsRequest { reports: vec![odd] }).await.unwrap();
    let list = found(&admin, "service=mcp").await;
    let row = &list["items"][0];
    assert_eq!((&list["total"], &row["event"]), (&json!(1), &json!("request.failed")));
    assert_eq!(row["timestamp"], app.clock.now().to_rfc3339(), "nothing is from the future");
    assert_eq!(row["endpoint"].as_str().unwrap().len(), 255);
    let many = ReportErrorsRequest { reports: vec![ErrorReport::default(); 101] };
    assert_eq!(ops.report_errors(many).await.unwrap_err().code(), tonic::Code::InvalidArgument);
}

#[tokio::test]
async fn a_fault_of_a_call_between_services_is_the_hubs_own() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let error = Error::internal("the disk is on fire");
    let path = "/syfthub.identity.v1.IdentityService/FindUser";
    app.app.faults().take(FaultReport::of(&error, "call-1".to_owned(), "RPC", path).unwrap());
    let list = found(&admin, "correlation_id=call-1&service=backend").await;
    assert_eq!((&list["total"], &list["items"][0]["endpoint"]), (&json!(1), &json!(path)));
}
