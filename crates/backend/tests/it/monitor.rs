//! The health monitor: what it believes, whom it asks, and what follows.

use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use serde_json::{Value, json};
use syfthub_config::EgressAllow;
use tokio::net::TcpListener;

use crate::actor::{Actor, TestApp};
use crate::shorthand::each;

/// More than one interval, less than two.
const A_WHILE: Duration = Duration::from_secs(31);

/// A server that answers every GET with the status that the test says; 0 hangs.
struct Service {
    url: String,
    status: Arc<AtomicU16>,
    asked: Arc<AtomicUsize>,
    paths: Arc<Mutex<Vec<String>>>,
    task: tokio::task::AbortHandle,
}

impl Service {
    async fn start() -> Self {
        let (status, asked) = (Arc::new(AtomicU16::new(200)), Arc::new(AtomicUsize::new(0)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let paths = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&paths);
        let note = move |request: Request, next: Next| {
            seen.lock().unwrap().push(request.uri().path().to_owned());
            next.run(request)
        };
        let router = Router::new().fallback(answer).with_state((Arc::clone(&status), Arc::clone(&asked)));
        let router = router.layer(from_fn(note));
        #[expect(clippy::disallowed_methods, reason = "aborted when the service is dropped")]
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, status, asked, paths, task: task.abort_handle() }
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// The paths that were asked for since the last look.
    fn asked_at(&self) -> Vec<String> {
        std::mem::take(&mut self.paths.lock().unwrap())
    }

    fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::SeqCst)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    State((status, asked)): State<(Arc<AtomicU16>, Arc<AtomicUsize>)>,
    request: Request,
) -> Response {
    asked.fetch_add(1, Ordering::SeqCst);
    assert!(!request.headers().contains_key(header::AUTHORIZATION));
    match status.load(Ordering::SeqCst) {
        0 => std::future::pending().await,
        302 => (StatusCode::FOUND, [(header::LOCATION, "http://127.0.0.1:1/")]).into_response(),
        200 if request.uri().path() == "/huge/api/v1/health" => {
            let endless = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'x'; 65_536]));
            Response::new(axum::body::Body::from_stream(endless))
        }
        other => StatusCode::from_u16(other).unwrap().into_response(),
    }
}

fn connected(url: &str) -> Value {
    json!({"connect": [{"type": "http", "config": {"url": url}}]})
}

async fn listed(app: &TestApp) -> Vec<String> {
    each(&app.anon().get("/api/v1/endpoints/public").await.expect(StatusCode::OK), "slug")
}

/// Lets time pass and looks; gives how many addresses were asked.
async fn later(app: &TestApp, by: Duration) -> usize {
    app.clock.advance(by);
    app.app.check_endpoints().await.unwrap()
}

async fn health(app: &TestApp, path: &str) -> Value {
    app.admin_health(path).await
}

impl TestApp {
    async fn admin_health(&self, path: &str) -> Value {
        let (owner, slug) = path.split_once('/').unwrap();
        let row = syfthub_store::endpoints::find_by_owner_and_slug(&self.db, owner, slug).await.unwrap();
        let row = row.unwrap().endpoint;
        json!([row.is_active, row.health_status, row.consecutive_failure_count])
    }
}

async fn report(who: &Actor, slug: &str, status: &str, ttl: i64) {
    let body = json!({"ttl_seconds": ttl, "endpoints": [{"slug": slug, "status": status, "checked_at": "2099-01-01T00:00:00Z"}]});
    who.post("/api/v1/endpoints/health", &body).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn an_endpoint_that_answers_stays_and_one_that_does_not_leaves_and_comes_back() {
    let (app, anon, bob) = TestApp::start().await.with_user("bob").await;
    let service = Service::start().await;
    let made = bob.publish("notes", connected(&service.url)).await;
    bob.publish("plain", json!({})).await;
    for _ in 0..4 {
        assert_eq!(later(&app, A_WHILE).await, 1, "once per interval");
    }
    assert_eq!(service.asked(), 4);
    assert_eq!(app.app.check_endpoints().await.unwrap(), 0, "nothing is due");
    let shown = anon.get("/api/v1/endpoints/public/bob/notes").await.json();
    assert_eq!(
        (&shown["health_status"], &shown["updated_at"]),
        (&json!("healthy"), &made["updated_at"]),
        "health does not touch the order"
    );

    service.answers(503);
    later(&app, A_WHILE).await;
    assert_eq!(service.asked(), 3, "every configured path");
    assert_eq!(health(&app, "bob/notes").await, json!([true, "unhealthy", 1]));
    later(&app, A_WHILE).await;
    assert_eq!(listed(&app).await, ["plain", "notes"]);
    later(&app, A_WHILE).await;
    assert_eq!(health(&app, "bob/notes").await, json!([false, "unhealthy", 3]));
    assert_eq!(listed(&app).await, ["plain"], "the kept listing is dropped");
    anon.get("/bob/notes").await.refused(404);
    bob.get("/bob/notes").await.expect(StatusCode::OK);
    assert_eq!(later(&app, A_WHILE).await, 0, "looks get rarer");

    service.answers(204);
    assert_eq!(later(&app, A_WHILE).await, 1);
    assert_eq!(health(&app, "bob/notes").await, json!([true, "healthy", 0]));
    assert_eq!(listed(&app).await, ["plain", "notes"]);
}

#[tokio::test]
async fn who_reports_is_not_asked() {
    let (app, _anon, bob) = TestApp::start().await.with_user("bob").await;
    let service = Service::start().await;
    service.answers(500);
    bob.publish("notes", connected(&service.url)).await;
    report(&bob, "notes", "healthy", 100).await;
    for _ in 0..3 {
        assert_eq!(later(&app, A_WHILE).await, 0);
    }
    assert_eq!((service.asked(), health(&app, "bob/notes").await), (0, json!([true, "healthy", 0])));
    assert_eq!(later(&app, A_WHILE).await, 1, "the report is old now");
    assert_eq!(health(&app, "bob/notes").await, json!([true, "unhealthy", 1]));

    report(&bob, "notes", "unhealthy", 1000).await;
    for _ in 0..2 {
        later(&app, A_WHILE).await;
    }
    assert_eq!(health(&app, "bob/notes").await, json!([false, "unhealthy", 3]));
    report(&bob, "notes", "healthy", 60).await;
    assert_eq!(health(&app, "bob/notes").await, json!([true, "healthy", 0]), "at once");
    assert_eq!(listed(&app).await, ["notes"]);
}

#[tokio::test]
async fn a_heartbeat_speaks_for_all_endpoints_without_a_report() {
    let (app, anon, bob) = TestApp::start().await.with_user("bob").await;
    bob.publish("notes", connected("/x")).await;
    bob.publish("other", connected("/y")).await;
    for _ in 0..3 {
        assert_eq!(later(&app, A_WHILE).await, 0, "there is no address to ask");
    }
    assert_eq!(listed(&app).await, [""; 0]);
    report(&bob, "other", "unhealthy", 1800).await;
    let path = "/api/v1/users/me/heartbeat";
    let beat = json!({"url": "http://127.0.0.1:1/path", "ttl_seconds": 3600});
    anon.post(path, &beat).await.refused(401);
    let answer = bob.post(path, &beat).await.expect(StatusCode::OK);
    assert_eq!(
        answer,
        json!({"status": "ok", "received_at": "2027-01-15T08:01:33.000000Z",
            "expires_at": "2027-01-15T08:31:33.000000Z", "domain": "http://127.0.0.1:1", "ttl_seconds": 1800})
    );
    assert_eq!(later(&app, A_WHILE).await, 0);
    assert_eq!(health(&app, "bob/notes").await, json!([true, "healthy", 0]));
    assert_eq!(health(&app, "bob/other").await[0], json!(false));
    for (bad, field) in [
        (json!({}), "url"),
        (json!({"url": "h.example"}), "url"),
        (json!({"url": "tunneling:eve"}), "url"),
        (json!({"url": "http://h", "ttl_seconds": 3601}), "ttl_seconds"),
    ] {
        assert_eq!(bob.post(path, &bad).await.refused_fields(), [field], "{bad}");
    }
}

#[tokio::test]
async fn tunnels_and_refused_addresses_are_not_asked_and_redirects_not_followed() {
    let app = TestApp::start_with(|settings| settings.egress.allow = EgressAllow::Public).await;
    let (app, _, bob) = app.with_user("bob").await;
    let service = Service::start().await;
    bob.publish("inside", connected(&service.url)).await;
    bob.publish("meta", connected("http://169.254.169.254/latest")).await;
    bob.publish("tunnel", connected("tunneling:bob")).await;
    later(&app, A_WHILE).await;
    assert_eq!(service.asked(), 0, "the guard is in between");
    for path in ["bob/inside", "bob/meta", "bob/tunnel"] {
        assert_eq!(health(&app, path).await, json!([true, "unhealthy", 1]), "{path}");
    }

    let (app, _, eve) = TestApp::start().await.with_user("eve").await;
    eve.publish("moved", connected(&service.url)).await;
    service.answers(302);
    later(&app, A_WHILE).await;
    assert_eq!((service.asked(), health(&app, "eve/moved").await[1].clone()), (1, json!("healthy")));
    service.answers(200);
    eve.publish("huge", connected(&format!("{}/huge", service.url))).await;
    later(&app, A_WHILE).await;
    assert_eq!(health(&app, "eve/huge").await[1], json!("healthy"), "the body is not read");
}

#[tokio::test]
async fn one_that_hangs_takes_its_time_and_no_more() {
    let app =
        TestApp::start_with(|settings| settings.health_check.timeout = Duration::from_millis(200)).await;
    let (app, _, bob) = app.with_user("bob").await;
    let (hung, good) = (Service::start().await, Service::start().await);
    hung.answers(0);
    bob.publish("hung", connected(&hung.url)).await;
    bob.publish("good", connected(&good.url)).await;
    assert_eq!(later(&app, A_WHILE).await, 2);
    assert_eq!(health(&app, "bob/hung").await[1], json!("unhealthy"));
    assert_eq!(health(&app, "bob/good").await[1], json!("healthy"));
}

#[tokio::test]
async fn what_an_admin_switched_off_stays_off() {
    let (app, _anon, bob) = TestApp::start().await.with_user("bob").await;
    let (admin, service) = (app.admin().await, Service::start().await);
    let made = bob.publish("notes", connected(&service.url)).await;
    let path = format!("/api/v1/endpoints/{}", made["id"]);
    admin.patch(&format!("{path}/admin"), &json!({"is_active": false})).await.expect(StatusCode::OK);
    report(&bob, "notes", "healthy", 60).await;
    later(&app, A_WHILE).await;
    later(&app, A_WHILE * 3).await;
    assert_eq!(service.asked(), 0);
    assert_eq!(admin.get(&path).await.json()["is_active"], json!(false));
    assert_eq!(listed(&app).await, [""; 0]);
}

#[tokio::test]
async fn endpoints_at_one_address_are_asked_once() {
    let (app, _anon, bob) = TestApp::start().await.with_user("bob").await;
    let service = Service::start().await;
    for n in 0..20 {
        bob.publish(&format!("notes-{n}"), connected(&service.url)).await;
    }
    assert_eq!(later(&app, A_WHILE).await, 1);
    assert_eq!(service.asked(), 1);
    assert_eq!(health(&app, "bob/notes-19").await, json!([true, "healthy", 0]));

    let own = app
        .restarted_with(|settings| settings.health_check.paths = vec!["/models/{slug}/health".to_owned()])
        .await;
    assert_eq!(later(&own, A_WHILE).await, 20, "unless each has a path of its own");
}

#[tokio::test]
async fn an_mcp_server_that_refuses_a_bare_get_is_there() {
    let (app, _anon, bob) = TestApp::start().await.with_user("bob").await;
    let service = Service::start().await;
    service.answers(405);
    let connect = json!([{"type": "mcp", "config": {"url": format!("{}/mcp", service.url)}}]);
    bob.publish("tools", json!({"type": "agent", "connect": connect})).await;
    later(&app, A_WHILE).await;
    assert_eq!((service.asked(), health(&app, "bob/tools").await[1].clone()), (1, json!("healthy")));
}

#[tokio::test]
async fn a_model_that_asks_for_a_key_is_there() {
    let (app, _anon, bob) = TestApp::start().await.with_user("bob").await;
    let service = Service::start().await;
    let connect =
        json!([{"type": "OpenAI", "config": {"url": format!("{}/v1/", service.url), "model": "m"}}]);
    bob.publish("writer", json!({"type": "model", "connect": connect})).await;
    for (status, found) in
        [(200, "healthy"), (401, "healthy"), (404, "healthy"), (429, "healthy"), (503, "unhealthy")]
    {
        service.answers(status);
        later(&app, A_WHILE).await;
        let asked = service.asked_at();
        assert_eq!(
            (asked.as_slice(), health(&app, "bob/writer").await[1].clone()),
            (&["/v1/models".to_owned()][..], json!(found)),
            "{status}"
        );
    }
}

#[tokio::test]
async fn losing_its_connections_brings_an_endpoint_back() {
    let (app, _anon, bob) = TestApp::start().await.with_user("bob").await;
    let made = bob.publish("notes", connected("/nowhere")).await;
    for _ in 0..3 {
        later(&app, A_WHILE).await;
    }
    assert_eq!(health(&app, "bob/notes").await, json!([false, "unhealthy", 3]));
    let path = format!("/api/v1/endpoints/{}", made["id"]);
    bob.patch(&path, &json!({"connect": []})).await.expect(StatusCode::OK);
    later(&app, A_WHILE * 10).await;
    assert_eq!(health(&app, "bob/notes").await[0], json!(true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_three_replicas_one_asks() {
    let (app, _anon, bob) = TestApp::start_on_postgres().await.with_user("bob").await;
    let services = futures::future::join_all((0..8).map(|_| Service::start())).await;
    for (n, service) in services.iter().enumerate() {
        bob.publish(&format!("notes-{n}"), connected(&service.url)).await;
    }
    let (second, third) = (app.replica().await, app.replica().await);
    for round in 0..3 {
        app.clock.advance(A_WHILE);
        let looks = [&app, &second, &third].map(|replica| replica.app.check_endpoints());
        let asked: usize =
            futures::future::join_all(looks).await.into_iter().map(|asked| asked.unwrap()).sum();
        assert_eq!(asked, 8, "round {round}");
        for service in &services {
            assert_eq!(service.asked(), 1, "round {round}");
        }
    }
}

#[tokio::test]
async fn the_monitor_runs_by_itself_when_it_is_switched_on() {
    let (app, _anon, bob) = TestApp::start().await.with_user("bob").await;
    let service = Service::start().await;
    bob.publish("notes", connected(&service.url)).await;
    app.clock.advance(A_WHILE);
    let running = app.restarted_with(|settings| settings.health_check.enabled = true).await;
    let well = || async { health(&running, "bob/notes").await[1] == json!("healthy") };
    syfthub_testing::wait::until(well, "the monitor asks").await;
}
