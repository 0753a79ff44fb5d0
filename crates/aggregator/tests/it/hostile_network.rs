//! Names that change their address, and servers that cannot show who they are.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::response::IntoResponse;
use serde_json::json;
use syfthub_config::EgressAllow;
use syfthub_egress::Outside;
use syfthub_testing::tls::{Authority, Period};

use crate::actor::{TestApp, endpoint, question};
use crate::hostile::{message, report_by, report_in};
use crate::log::Lines;
use crate::upstream::{Upstream, references};

/// A world in which every name has the first of `answers` at the first question, the second at the second, …
/// and then the last; and how often it was asked.
fn names(answers: &'static [&'static [&'static str]]) -> (Outside, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let names = move |_: &str| {
        let number = counter.fetch_add(1, Ordering::SeqCst);
        let addresses = answers[number.min(answers.len() - 1)];
        Ok(addresses.iter().map(|address| address.parse::<IpAddr>().unwrap()).collect())
    };
    (Outside { names: Some(Arc::new(names)), authorities: Vec::new() }, asked)
}

/// A source that ends the connection after each answer, so that the next call has to ask for the name again.
async fn forgetful() -> (Upstream, String) {
    let source = Upstream::start(|_, _| async {
        ([("connection", "close")], axum::Json(references(&[("Trap", "y", 0.9)]))).into_response()
    })
    .await;
    let named = source.url.replace("127.0.0.1", "rebinding.example");
    (source, named)
}

#[tokio::test]
async fn a_name_that_turns_to_a_private_address_is_refused() {
    for private in [&["169.254.169.254"][..], &["10.0.0.1"], &["127.0.0.1", "10.0.0.1"], &["fe80::1"]] {
        // The only address that a test may call stands for a public one.
        let answers: &'static [&'static [&'static str]] = vec![&["127.0.0.1"][..], private].leak();
        let (outside, asked) = names(answers);
        let app = TestApp::outside(&outside, |_| {});
        let (source, url) = forgetful().await;
        assert_eq!(report_by(&app, &url).await["documents_retrieved"], 1);
        let report = report_by(&app, &url).await;
        assert_eq!(report["status"], "error");
        let text = message(&report);
        assert!(text.contains("not allowed") && text.contains("rebinding.example"), "{text}");
        assert_eq!(source.calls().len(), 1);
        assert_eq!(
            asked.load(Ordering::SeqCst),
            2,
            "what is checked is what is dialled: one question per call"
        );
    }
}

#[tokio::test]
async fn a_name_of_the_hubs_own_machine_is_not_called_where_only_the_public_is() {
    let (outside, _) = names(&[&["127.0.0.1"]]);
    let (source, url) = forgetful().await;
    let port = url.rsplit(':').next().unwrap().parse().unwrap();
    let app = TestApp::outside(&outside, |settings| settings.egress.internal_ports = vec![port]);
    assert!(message(&report_by(&app, &url).await).contains("not allowed"));
    let public = TestApp::outside(&outside, |settings| settings.egress.allow = EgressAllow::Public);
    let model = Upstream::model("fine").await;
    let mut body = question(&model, &[]);
    body["data_sources"] = json!([endpoint("eve", "evil", &url)]);
    body["retrieval_only"] = json!(true);
    assert_eq!(public.chat(&body).await.json()["retrieval_info"][0]["status"], "error");
    assert!(source.calls().is_empty());
}

#[tokio::test]
async fn a_name_without_an_address_is_an_error_of_that_source() {
    let (outside, _) = names(&[&[]]);
    let report = report_in(&outside, "http://nowhere.example/").await;
    assert_eq!(report["status"], "error");
    assert!(message(&report).contains("Cannot reach http://nowhere.example"), "{report}");
}

#[tokio::test]
async fn certificates_are_looked_at() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (mut outside, _) = names(&[&["127.0.0.1"]]);
    outside.authorities = vec![authority.certificate()];
    let answer = references(&[("B", "from afar", 0.9)]).to_string();
    for (by, name, period, fault) in [
        (&authority, "source.example", Period::Now, None),
        (&authority, "source.example", Period::Past, Some("it has expired")),
        (&authority, "other.example", Period::Now, Some("it is for another name")),
        (&stranger, "source.example", Period::Now, Some("nobody whom this machine trusts")),
    ] {
        let server = by.serve(name, period, &answer).await;
        let url = format!("https://source.example:{}", server.port);
        let report = report_in(&outside, &url).await;
        let Some(fault) = fault else {
            assert_eq!((&report["status"], &report["documents_retrieved"]), (&json!("success"), &json!(1)));
            continue;
        };
        assert_eq!(report["status"], "error");
        let text = message(&report);
        assert!(text.contains(fault) && text.contains(&url), "{text}");
        assert_eq!(server.requests(), 0, "nothing is sent to it");
    }
}

#[tokio::test]
async fn a_model_with_a_bad_certificate_is_named() {
    let authority = Authority::new();
    let (mut outside, _) = names(&[&["127.0.0.1"]]);
    outside.authorities = vec![authority.certificate()];
    let server = authority.serve("writer.example", Period::Past, "{}").await;
    let (lines, _log) = Lines::listen();
    let app = TestApp::outside(&outside, |_| {});
    let unused = Upstream::model("never").await;
    let mut body = question(&unused, &[]);
    body["model"] = endpoint("mia", "writer", &format!("https://writer.example:{}", server.port));
    let answer = app.chat(&body).await;
    assert_eq!(answer.status, 400);
    assert!(answer.json()["message"].as_str().unwrap().contains("it has expired"), "{}", answer.text);
    let log = lines.text();
    assert!(
        log.lines().any(|line| line.contains("model.query.failed") && line.contains("mia/writer")),
        "{log}"
    );
    assert_eq!(server.requests(), 0);
}
