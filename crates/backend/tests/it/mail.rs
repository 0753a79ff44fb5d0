//! Mail on its way: a real mail server, a provider's HTTP interface, and what happens when they fail.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use syfthub_auth::MasterKey;
use syfthub_backend::{App, Deps};
use syfthub_config::{MailProvider, Resend, Secret, Settings, Smtp, SmtpTls};
use syfthub_domain::Clock as _;
use syfthub_store::outbox;
use syfthub_testing::smtp::{Behaviour, Encryption, SmtpServer};
use syfthub_testing::wait;

use crate::actor::{PASSWORD, TestApp};

/// How the hub reaches a server that it trusts.
fn way_to(server: &SmtpServer, tls: SmtpTls) -> Smtp {
    Smtp {
        host: "localhost".to_owned(),
        port: server.port,
        credentials: None,
        tls,
        ca_file: Some(server.ca_file.clone()),
    }
}

/// A hub that sends through the server and repeats at once what failed.
async fn hub(smtp: Smtp) -> TestApp {
    TestApp::start_with(|settings| {
        settings.mail.provider = MailProvider::Smtp(smtp);
        settings.mail.retry_delay = Duration::ZERO;
    })
    .await
}

/// Something that sends a mail.
async fn register(app: &TestApp, name: &str) {
    let body = json!({"username": name, "email": format!("{name}@example.com"), "full_name": "Bob <b>Böb</b>", "password": PASSWORD});
    app.anon().post("/api/v1/auth/register", &body).await.expect(StatusCode::CREATED);
}

/// Waits until nothing waits to be delivered.
async fn delivered(app: &TestApp) {
    let empty = async || outbox::waiting(&app.db).await.unwrap().mails == 0;
    wait::until(empty, "the outbox to be empty").await;
}

/// Waits until a try has failed and is to be repeated; gives why.
async fn delayed(app: &TestApp) -> String {
    let why = async || outbox::waiting(&app.db).await.unwrap().last_error;
    wait::until(async || why().await.is_some(), "a failed try").await;
    why().await.unwrap()
}

#[tokio::test]
async fn mail_goes_out_under_starttls_and_nothing_before_it() {
    let behaviour = Behaviour { credentials: Some(("hub", "hush hush")), ..Behaviour::default() };
    let server = SmtpServer::start(behaviour).await;
    let credentials = Some(("hub".to_owned(), Secret::new("hush hush")));
    let app = hub(Smtp { credentials, ..way_to(&server, SmtpTls::StartTls) }).await;
    register(&app, "bob").await;
    delivered(&app).await;
    let mails = server.mails();
    let [mail] = mails.as_slice() else { panic!("{mails:?}") };
    assert!(mail.encrypted);
    assert_eq!(
        (mail.from.as_str(), mail.to.as_slice()),
        ("hub@localhost", ["bob@example.com".to_owned()].as_slice())
    );
    assert_eq!(mail.user.as_deref(), Some("hub"));
    for header in [
        "From: ",
        "To: bob@example.com",
        "Subject: Your verification code for SyftHub",
        "Message-ID: <",
        "Date: ",
    ] {
        assert!(mail.data.contains(header), "{header}: {}", mail.data);
    }
    assert!(mail.data.contains("multipart/alternative") && mail.data.contains("text/html"), "{}", mail.data);
    let in_clear = server.in_clear();
    assert!(in_clear.iter().all(|line| line.starts_with("EHLO") || line == "STARTTLS"), "{in_clear:?}");
}

#[tokio::test]
async fn mail_goes_out_under_tls_from_the_first_byte() {
    let server = SmtpServer::start(Behaviour { tls: Encryption::Tls, ..Behaviour::default() }).await;
    let app = hub(way_to(&server, SmtpTls::Tls)).await;
    register(&app, "bob").await;
    delivered(&app).await;
    assert_eq!((server.mails().len(), server.mails()[0].encrypted), (1, true));
}

#[tokio::test]
async fn a_server_on_this_machine_may_be_spoken_to_in_clear() {
    let server = SmtpServer::start(Behaviour { tls: Encryption::Never, ..Behaviour::default() }).await;
    let app = hub(Smtp { ca_file: None, ..way_to(&server, SmtpTls::None) }).await;
    register(&app, "bob").await;
    delivered(&app).await;
    assert_eq!(server.mails().len(), 1);
}

#[tokio::test]
async fn a_server_that_offers_no_encryption_is_told_nothing() {
    let server = SmtpServer::start(Behaviour { tls: Encryption::Never, ..Behaviour::default() }).await;
    let app = hub(way_to(&server, SmtpTls::StartTls)).await;
    register(&app, "bob").await;
    delivered(&app).await;
    assert!(server.mails().is_empty());
    assert!(
        server.in_clear().iter().all(|line| line.starts_with("EHLO") || line == "QUIT"),
        "{:?}",
        server.in_clear()
    );
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let server = SmtpServer::start(Behaviour::default()).await;
    let app = hub(Smtp { ca_file: None, ..way_to(&server, SmtpTls::StartTls) }).await;
    register(&app, "bob").await;
    delivered(&app).await;
    assert_eq!(server.asked(), 0);

    let other = Behaviour { certificate_for: "mail.example.org", ..Behaviour::default() };
    let server = SmtpServer::start(other).await;
    let app = hub(way_to(&server, SmtpTls::StartTls)).await;
    register(&app, "bob").await;
    delivered(&app).await;
    assert_eq!(server.asked(), 0, "a certificate of another server");
}

#[tokio::test]
async fn a_wrong_password_is_not_tried_again() {
    let behaviour = Behaviour { credentials: Some(("hub", "right")), ..Behaviour::default() };
    let server = SmtpServer::start(behaviour).await;
    let credentials = Some(("hub".to_owned(), Secret::new("wrong")));
    let app = hub(Smtp { credentials, ..way_to(&server, SmtpTls::StartTls) }).await;
    register(&app, "bob").await;
    delivered(&app).await;
    assert_eq!((server.mails().len(), server.asked()), (0, 0));
}

#[tokio::test]
async fn a_busy_server_is_asked_again_three_times_at_most() {
    let server = SmtpServer::start(Behaviour { busy: 2, ..Behaviour::default() }).await;
    let app = hub(way_to(&server, SmtpTls::StartTls)).await;
    register(&app, "bob").await;
    delivered(&app).await;
    assert_eq!((server.mails().len(), server.asked()), (1, 3));

    let server = SmtpServer::start(Behaviour { busy: 100, ..Behaviour::default() }).await;
    let app = hub(way_to(&server, SmtpTls::StartTls)).await;
    register(&app, "bob").await;
    delivered(&app).await;
    assert_eq!((server.mails().len(), server.asked()), (0, 3));
}

#[tokio::test]
async fn a_refusal_is_final() {
    let server = SmtpServer::start(Behaviour { refuses: true, ..Behaviour::default() }).await;
    let app = hub(way_to(&server, SmtpTls::StartTls)).await;
    register(&app, "bob").await;
    delivered(&app).await;
    assert_eq!((server.mails().len(), server.asked()), (0, 1));
}

#[tokio::test]
async fn what_waits_is_sealed_and_survives_a_restart() {
    let server = SmtpServer::start(Behaviour { busy: 1, ..Behaviour::default() }).await;
    let smtp = way_to(&server, SmtpTls::StartTls);
    let app = TestApp::start_with(|settings| settings.mail.provider = MailProvider::Smtp(smtp)).await;
    register(&app, "bob").await;
    assert!(delayed(&app).await.contains("451"));
    // It waits for two seconds more.
    let mut tx = app.db.begin().await.unwrap();
    let due = app.clock.now().plus(Duration::from_secs(2));
    assert!(
        outbox::claim(&mut tx, due, 10, app.clock.now().plus(Duration::from_millis(1999)))
            .await
            .unwrap()
            .is_empty()
    );
    let rows = outbox::claim(&mut tx, due, 10, due).await.unwrap();
    tx.rollback().await.unwrap();
    let sealed = String::from_utf8_lossy(&rows[0].sealed).into_owned();
    assert!(!sealed.contains("bob") && !sealed.contains("code"), "{sealed}");
    app.app.close().await;
    app.clock.advance(Duration::from_secs(2));
    let again = app.restarted_with(|_| {}).await;
    delivered(&again).await;
    assert_eq!((server.mails().len(), server.asked()), (1, 2));
}

#[tokio::test]
async fn a_mail_whose_code_has_expired_is_dropped() {
    let server = SmtpServer::start(Behaviour { busy: 1, ..Behaviour::default() }).await;
    let smtp = way_to(&server, SmtpTls::StartTls);
    let app = TestApp::start_with(|settings| settings.mail.provider = MailProvider::Smtp(smtp)).await;
    register(&app, "bob").await;
    delayed(&app).await;
    app.app.close().await;
    app.clock.advance(Duration::from_mins(10));
    let again = app.restarted_with(|_| {}).await;
    delivered(&again).await;
    assert_eq!((server.mails().len(), server.asked()), (0, 1));
}

#[tokio::test]
async fn replicas_share_the_work_and_send_nothing_twice() {
    let server = SmtpServer::start(Behaviour::default()).await;
    let smtp = way_to(&server, SmtpTls::StartTls);
    let url = syfthub_testing::postgres::shared().await.fresh_database().await;
    let app = TestApp::start_with(|settings| {
        settings.database = syfthub_testing::postgres_settings(&url);
        settings.mail.provider = MailProvider::Smtp(smtp);
    })
    .await;
    let replica = app.replica().await;
    let names: Vec<String> = (0..12).map(|number| format!("user-{number:02}")).collect();
    let on = |number: usize| if number.is_multiple_of(2) { &app } else { &replica };
    let all = names.iter().enumerate().map(|(number, name)| register(on(number), name));
    futures::future::join_all(all).await;
    delivered(&app).await;
    let mut to: Vec<String> = server.mails().into_iter().flat_map(|mail| mail.to).collect();
    to.sort();
    let expected: Vec<String> = names.iter().map(|name| format!("{name}@example.com")).collect();
    assert_eq!(to, expected);
}

#[tokio::test]
async fn a_file_of_authorities_that_cannot_be_read_is_told_by_its_setting() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::for_tests(folder.path());
    settings.mail.provider = MailProvider::Smtp(Smtp {
        host: "localhost".to_owned(),
        port: 25,
        credentials: None,
        tls: SmtpTls::StartTls,
        ca_file: Some(folder.path().join("absent.pem")),
    });
    let app = TestApp::start().await;
    let master = MasterKey::new(&settings.secrets.secret_key);
    let deps = Deps { db: app.db.clone(), cache: app.cache.clone(), clock: app.clock.clone(), master };
    let error = App::build(&settings, deps).await.unwrap_err();
    assert!(error.message.contains("SMTP_CA_FILE") && error.message.contains("absent.pem"), "{error}");
}

/// What a provider was sent.
#[derive(Clone, Default)]
struct Posts(Arc<Mutex<Vec<(HeaderMap, Value)>>>);

async fn take(State(posts): State<Posts>, headers: HeaderMap, Json(body): Json<Value>) -> StatusCode {
    let mut posts = posts.0.lock().unwrap();
    posts.push((headers, body));
    if posts.len() == 1 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
}

#[tokio::test]
async fn mail_goes_out_through_resend_with_one_key_for_all_tries() {
    let posts = Posts::default();
    let router = axum::Router::new().route("/emails", axum::routing::post(take)).with_state(posts.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/emails", listener.local_addr().unwrap()).parse().unwrap();
    let _server = syfthub_rpc::spawn_linked(async move { axum::serve(listener, router).await.unwrap() });
    let app = TestApp::start_with(|settings| {
        settings.mail.provider = MailProvider::Resend(Resend { api_key: Secret::new("re_123"), url });
        settings.mail.retry_delay = Duration::ZERO;
    })
    .await;
    register(&app, "bob").await;
    delivered(&app).await;
    let posts = posts.0.lock().unwrap().clone();
    assert_eq!(posts.len(), 2);
    let (headers, body) = &posts[1];
    assert_eq!(headers["authorization"], "Bearer re_123");
    assert_eq!(headers["idempotency-key"], posts[0].0["idempotency-key"]);
    assert_eq!(
        (&body["from"], &body["to"]),
        (&json!("\"SyftHub\" <hub@localhost>"), &json!(["bob@example.com"]))
    );
    assert!(body["html"].as_str().unwrap().contains("Bob &lt;b&gt;B"), "{body}");
    assert!(body["text"].as_str().unwrap().contains("Bob <b>B"), "{body}");
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_tells_neither_who_was_written_to_nor_the_code() {
    syfthub_testing::log::listen_on_every_thread();
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _log = tracing::subscriber::set_default(subscriber);
    let server = SmtpServer::start(Behaviour { busy: 1, ..Behaviour::default() }).await;
    let app = hub(way_to(&server, SmtpTls::StartTls)).await;
    register(&app, "bob").await;
    delivered(&app).await;
    let refusing = SmtpServer::start(Behaviour { refuses: true, ..Behaviour::default() }).await;
    let app = hub(way_to(&refusing, SmtpTls::StartTls)).await;
    register(&app, "bob").await;
    delivered(&app).await;
    let sent = &server.mails()[0].data;
    let is_code = |line: &&str| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit());
    let code = sent.lines().map(str::trim).find(is_code).unwrap();
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    for event in ["mail.queued", "mail.delayed", "mail.sent", "mail.failed"] {
        assert!(text.contains(event), "{event} is missing in\n{text}");
    }
    for secret in ["bob@", code] {
        assert!(!text.contains(secret), "{secret} is in\n{text}");
    }
}
