//! Logging set up for a whole process, with trace export to a stand-in collector.

use std::io::Read as _;
use std::net::TcpListener;
use std::time::Duration;

use syfthub_config::{Log, LogFormat, LogLevel, Otlp};

fn log() -> Log {
    Log {
        level: LogLevel::Info,
        format: LogFormat::Json,
        request_headers: false,
        request_body: false,
        response_body: false,
        dir: None,
    }
}

#[test]
fn spans_are_sent_to_the_collector_and_logging_is_set_up_once() {
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", collector.local_addr().unwrap());
    let received = std::thread::spawn(move || {
        let (mut connection, _) = collector.accept().unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut preface = [0; 24];
        connection.read_exact(&mut preface).unwrap();
        preface
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let otlp = Otlp { endpoint: Some(endpoint) };
    assert!(syfthub_logging::init(&log(), &otlp, "syfthub-test").is_err(), "no runtime to export on");
    runtime.block_on(async {
        let guard = syfthub_logging::init(&log(), &otlp, "syfthub-test").unwrap();
        assert!(syfthub_logging::init(&log(), &Otlp::default(), "again").is_err());
        tracing::info_span!(target: "syfthub.test", "work").in_scope(|| {
            let mut headers = http::HeaderMap::new();
            syfthub_logging::trace_context::inject(&mut headers);
            assert!(headers.contains_key("traceparent"));
        });
        tokio::task::spawn_blocking(move || guard.flush()).await.unwrap();
    });
    assert_eq!(&received.join().unwrap(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
}
