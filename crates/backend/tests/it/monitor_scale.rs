//! The health monitor with many endpoints, and with owners whose services hang.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use http::StatusCode;
use serde_json::json;
use sqlx::AssertSqlSafe;
use syfthub_config::Settings;
use syfthub_domain::Clock as _;
use syfthub_store::Db;
use syfthub_testing::wait;
use tokio::net::TcpListener;

use crate::actor::TestApp;

/// More than one interval, less than two.
const A_WHILE: Duration = Duration::from_secs(31);
const ENDPOINTS: usize = 10_000;
const OWNERS: usize = 100;
const AT_ONCE: usize = 20;

/// What a server was asked.
#[derive(Debug, Default)]
struct Seen {
    paths: HashMap<String, usize>,
    now: usize,
    most: usize,
}

/// A server that counts what it is asked, and answers after a moment or never.
struct Server {
    url: String,
    seen: Arc<Mutex<Seen>>,
    _task: syfthub_rpc::LinkedTask<()>,
}

/// One question, as long as somebody waits for its answer.
struct Asking(Arc<Mutex<Seen>>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.lock().unwrap().now -= 1;
    }
}

impl Server {
    async fn start(hangs: bool) -> Self {
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state((Arc::clone(&seen), hangs));
        let task = syfthub_rpc::spawn_linked(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, seen, _task: task }
    }

    fn most_at_once(&self) -> usize {
        self.seen.lock().unwrap().most
    }

    /// How often each address was asked.
    fn times(&self) -> Vec<usize> {
        self.seen.lock().unwrap().paths.values().copied().collect()
    }
}

async fn answer(State((seen, hangs)): State<(Arc<Mutex<Seen>>, bool)>, request: Request) -> StatusCode {
    {
        let mut seen = seen.lock().unwrap();
        *seen.paths.entry(request.uri().path().to_owned()).or_default() += 1;
        seen.now += 1;
        seen.most = seen.most.max(seen.now);
    }
    let _asking = Asking(seen);
    if hangs {
        std::future::pending::<()>().await;
    }
    tokio::task::yield_now().await;
    StatusCode::NO_CONTENT
}

fn settings(settings: &mut Settings) {
    settings.health_check.max_concurrent = u32::try_from(AT_ONCE).unwrap();
    settings.health_check.paths = vec!["/".to_owned()];
}

/// Endpoints of so many owners, each with an address of its own below `url`, due now. Through the front door this
/// would take minutes.
async fn fill(app: &TestApp, owners: usize, endpoints: usize, url: &str) {
    let postgres = matches!(app.db, Db::Postgres(_));
    let numbers = |count: usize| {
        if postgres {
            return format!("generate_series(1, {count}) AS numbers (n)");
        }
        format!(
            "(WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count}) \
             SELECT n FROM numbers)"
        )
    };
    let mut now = format!("'{}'", app.clock.now().to_sql_text());
    if postgres {
        now = format!("CAST({now} || '+00' AS timestamptz)");
    }
    let connect = format!(r#"'[{{"type": "http", "config": {{"url": "{url}/' || n || '"}}}}]'"#);
    for sql in [
        format!(
            "INSERT INTO users (username, email, full_name, created_at, updated_at) \
             SELECT 'owner-' || n, 'owner-' || n || '@example.org', 'Owner', {now}, {now} FROM {}",
            numbers(owners)
        ),
        format!(
            "INSERT INTO endpoints (user_id, name, slug, type, visibility, connect, created_at, updated_at) \
             SELECT (SELECT id FROM users WHERE username = 'owner-' || (1 + n % {owners})), 'Name', 'slug-' || n, \
             'model', 'public', {connect}, {now}, {now} FROM {}",
            numbers(endpoints)
        ),
        format!(
            "INSERT INTO endpoint_checks (endpoint_id, next_check_at) \
             SELECT id, {now} FROM endpoints WHERE slug LIKE 'slug-%'"
        ),
    ] {
        match &app.db {
            Db::Postgres(pool) => drop(sqlx::query(AssertSqlSafe(sql)).execute(pool).await.unwrap()),
            Db::Sqlite { write, .. } => drop(sqlx::query(AssertSqlSafe(sql)).execute(write).await.unwrap()),
        }
    }
}

/// Every endpoint is asked once, however many processes look, and no process asks more than it may at once.
async fn all_are_asked_once(replicas: Vec<TestApp>) {
    let server = Server::start(false).await;
    fill(&replicas[0], OWNERS, ENDPOINTS, &server.url).await;
    let looks = replicas.iter().map(|replica| replica.app.check_endpoints());
    let asked: usize = futures::future::join_all(looks).await.into_iter().map(|asked| asked.unwrap()).sum();
    let times = server.times();
    assert_eq!((asked, times.len(), times.into_iter().max()), (ENDPOINTS, ENDPOINTS, Some(1)));
    let most = server.most_at_once();
    assert!((2..=AT_ONCE * replicas.len()).contains(&most), "{most} at once");
    for replica in &replicas {
        assert_eq!(
            replica.app.check_endpoints().await.unwrap(),
            0,
            "nothing is due before the interval is over"
        );
    }
    let well =
        syfthub_store::endpoints::find_by_owner_and_slug(&replicas[0].db, "owner-1", "slug-10000").await;
    assert_eq!(well.unwrap().unwrap().endpoint.health_status, Some(syfthub_domain::HealthStatus::Healthy));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_endpoints_are_asked_once_by_one_process() {
    let app = TestApp::start_with(settings).await;
    Box::pin(all_are_asked_once(vec![app])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_endpoints_are_asked_once_by_three_replicas() {
    let app = TestApp::start_on_postgres().await.restarted_with(settings).await;
    let (second, third) = (app.replica().await, app.replica().await);
    Box::pin(all_are_asked_once(vec![app, second, third])).await;
}

#[tokio::test]
async fn an_owner_whose_thousand_services_hang_keeps_nobody_else_waiting() {
    let app = TestApp::start_with(|all| {
        settings(all);
        all.health_check.max_concurrent = 4;
        // Whoever hangs hangs to the end of this test.
        all.health_check.timeout = Duration::from_hours(1);
    })
    .await;
    let (hanging, good) = (Server::start(true).await, Server::start(false).await);
    fill(&app, 1, 1_000, &hanging.url).await;
    let others = [app.user("bob").await, app.user("eve").await];
    for (owner, name) in others.iter().zip(["bob", "eve"]) {
        let url = format!("{}/{name}", good.url);
        owner.publish("notes", json!({"connect": [{"type": "http", "config": {"url": url}}]})).await;
    }
    app.clock.advance(A_WHILE);
    let running = app.restarted_with(|settings| settings.health_check.enabled = true).await;
    for round in 1..=3 {
        let asked = || async { good.times() == [round, round] };
        wait::until(asked, "the endpoints of the others to be asked").await;
        running.clock.advance(A_WHILE);
    }
    let seen = hanging.seen.lock().unwrap();
    assert_eq!(
        (seen.paths.len(), seen.now, seen.most),
        (2, 2, 2),
        "half of what is asked at once, and no more"
    );
}
