//! How the answers of data sources are read, repeated and reported.

use axum::response::IntoResponse;
use http::StatusCode;
use serde_json::{Value, json};

use crate::actor::{TestApp, question};
use crate::upstream::{Upstream, references};

/// Asks one source and returns its line of `retrieval_info`.
async fn info(source: &Upstream) -> Value {
    let model = Upstream::model("ok").await;
    let answer = TestApp::new().chat(&question(&model, &[("ann/a", source)])).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["retrieval_info"][0].clone()
}

#[tokio::test]
async fn only_statuses_that_may_heal_are_tried_again() {
    let heals = Upstream::start(|number, _| async move {
        match number {
            0 => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            _ => axum::Json(references(&[("A", "x", 0.5)])).into_response(),
        }
    })
    .await;
    assert_eq!(info(&heals).await["status"], "success");
    assert_eq!(heals.calls().len(), 2);

    let down = Upstream::status(503, json!({"detail": "maintenance"})).await;
    let report = info(&down).await;
    assert_eq!(report["status"], "error");
    assert_eq!(report["error_message"], "HTTP 503: maintenance");
    assert_eq!(down.calls().len(), 3);

    let missing = Upstream::status(404, json!({"detail": "no such endpoint"})).await;
    assert_eq!(info(&missing).await["error_message"], "HTTP 404: no such endpoint");
    assert_eq!(missing.calls().len(), 1);
}

#[tokio::test]
async fn references_and_summaries_become_documents() {
    let two = references(&[("A", "x", 0.5), ("B", "y", 0.4)]);
    let summary = json!({"message": {"content": "In short"}});
    let mut both = two.clone();
    both["summary"] = summary.clone();
    for (body, count) in [
        (two, 2),
        (json!({"summary": summary, "references": null}), 1),
        (both, 3),
        (json!({"summary": null, "references": null}), 0),
        (json!({"summary": {"message": {"content": ""}}}), 1),
    ] {
        let source = Upstream::json(body.clone()).await;
        assert_eq!(info(&source).await["documents_retrieved"], count, "{body}");
    }
}

#[tokio::test]
async fn one_failed_source_does_not_fail_the_request() {
    let app = TestApp::new();
    let (good, bad) = (Upstream::source(&[("A", "x", 0.5)]).await, Upstream::status(500, json!({})).await);
    let denied = Upstream::status(403, json!({"detail": "members only"})).await;
    let model = Upstream::model("fine").await;
    let body = question(&model, &[("ann/bad", &bad), ("bob/denied", &denied), ("cy/good", &good)]);
    for answer in [app.chat(&body).await.json(), app.stream(&body).await.event("done")] {
        let infos = &answer["retrieval_info"];
        assert_eq!(infos[0]["status"], "error");
        assert_eq!(infos[1]["status"], "access_denied");
        assert_eq!(infos[1]["error_message"], "Access denied: members only");
        assert_eq!(infos[2]["status"], "success");
        assert_eq!(infos[2]["error_message"], Value::Null);
    }
}

#[tokio::test]
async fn the_outcome_of_a_policy_is_reported_precisely() {
    for (outcome, status) in [("rate_limited", "rate_limited"), ("policy_violation", "policy_violation")] {
        let body = json!({"detail": "no", "policy_metadata": {"outcome": outcome, "entries": []}});
        let source = Upstream::status(403, body).await;
        assert_eq!(info(&source).await["status"], status);
    }
}

#[tokio::test]
async fn a_slow_source_times_out_alone() {
    let app = TestApp::with(|settings| {
        settings.aggregator.retrieval_timeout = std::time::Duration::from_millis(100);
    });
    let slow = Upstream::start(|_, _| async {
        std::future::pending::<()>().await;
        ().into_response()
    })
    .await;
    let (good, model) = (Upstream::source(&[("A", "x", 0.5)]).await, Upstream::model("ok").await);
    let answer = app.chat(&question(&model, &[("ann/slow", &slow), ("bob/good", &good)])).await.json();
    assert_eq!(answer["retrieval_info"][0]["status"], "timeout");
    assert_eq!(answer["retrieval_info"][0]["error_message"], "Request timed out");
    assert_eq!(answer["retrieval_info"][1]["status"], "success");
}

#[tokio::test]
async fn a_source_may_be_asked_something_else_than_the_prompt() {
    let (app, model) = (TestApp::new(), Upstream::model("ok").await);
    let source = Upstream::source(&[]).await;
    let mut body = question(&model, &[("ann/fetch", &source)]);
    body["data_sources"][0]["query_override"] = json!("https://example.org/page");
    app.chat(&body).await;
    assert_eq!(source.calls()[0].body["messages"], "https://example.org/page");
}

#[tokio::test]
async fn a_demanded_payment_is_reported_as_what_it_is() {
    let (app, model) = (TestApp::new(), Upstream::model("ok").await);
    let source = Upstream::status(402, json!({"detail": "2 cents"})).await;
    let mut body = question(&model, &[("ann/paid", &source)]);
    let guest = app.chat(&body).await.json()["retrieval_info"][0].clone();
    assert_eq!((&guest["status"], &guest["error_message"]), (&json!("error"), &json!("HTTP 402: 2 cents")));
    body["user_token"] = json!("syft_pat_good");
    let user = app.chat(&body).await.json()["retrieval_info"][0].clone();
    assert_eq!(user["status"], "payment_failed");
}
