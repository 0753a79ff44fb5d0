//! Endpoints that fail again and again, and owners who are slow.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::response::IntoResponse;
use serde_json::json;
use syfthub_aggregator::BreakerState;
use syfthub_testing::wait;
use tokio::sync::Barrier;

use crate::actor::{TestApp, endpoint, question};
use crate::upstream::{Upstream, references};

/// A source that never answers.
async fn hung() -> Upstream {
    Upstream::start(|_, _| async {
        std::future::pending::<()>().await;
        ().into_response()
    })
    .await
}

#[tokio::test]
async fn an_endpoint_that_keeps_failing_is_left_alone() {
    let app = TestApp::with(|settings| settings.aggregator.rules.breaker_failures = 2);
    let (model, good) = (Upstream::model("fine").await, Upstream::source(&[("A", "x", 0.5)]).await);
    let down = Upstream::status(500, json!({"detail": "no disk"})).await;
    let body = question(&model, &[("ann/down", &down), ("bob/good", &good)]);
    for _ in 0..2 {
        let report = app.chat(&body).await.json()["retrieval_info"][0].clone();
        assert_eq!(report["error_message"], "HTTP 500: no disk");
    }
    assert_eq!(down.calls().len(), 6);
    let answer = app.chat(&body).await.json();
    let report = &answer["retrieval_info"][0];
    assert_eq!(report["status"], "error");
    assert!(report["error_message"].as_str().unwrap().contains("left alone for now"), "{report}");
    assert_eq!(answer["retrieval_info"][1]["status"], "success");
    assert_eq!(down.calls().len(), 6, "nobody asks it");
    let breakers = app.app.breakers();
    assert_eq!((breakers.len(), breakers[0].state), (1, BreakerState::Open));
    assert_eq!((breakers[0].path.as_str(), &breakers[0].origin), ("ann/down", &down.url));
}

#[tokio::test]
async fn who_borrows_a_name_does_not_break_the_real_endpoint() {
    let app = TestApp::with(|settings| settings.aggregator.rules.breaker_failures = 1);
    let model = Upstream::model("fine").await;
    let (real, forged) = (Upstream::source(&[("A", "x", 0.5)]).await, Upstream::status(500, json!({})).await);
    for (upstream, status) in [(&forged, "error"), (&real, "success"), (&forged, "error")] {
        let answer = app.chat(&question(&model, &[("ann/docs", upstream)])).await;
        assert_eq!(answer.json()["retrieval_info"][0]["status"], status);
    }
    assert_eq!(forged.calls().len(), 3, "asked once, and twice again");
}

#[tokio::test]
async fn refusals_of_an_endpoint_are_no_failures() {
    let app = TestApp::with(|settings| settings.aggregator.rules.breaker_failures = 1);
    let model = Upstream::model("fine").await;
    for status in [400, 401, 402, 403, 404, 422, 429] {
        let source = Upstream::status(status, json!({"detail": "no"})).await;
        let body = question(&model, &[("ann/docs", &source)]);
        app.chat(&body).await;
        app.chat(&body).await;
        assert_eq!(source.calls().len(), 2, "{status}");
    }
    assert_eq!(app.app.breakers(), []);
}

#[tokio::test]
async fn one_try_brings_an_endpoint_back() {
    let app = TestApp::with(|settings| {
        settings.aggregator.rules.breaker_failures = 1;
        settings.aggregator.rules.breaker_pause = Duration::ZERO;
    });
    let model = Upstream::model("fine").await;
    let heals = Upstream::start(|number, _| async move {
        match number {
            0..3 => http::StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            _ => axum::Json(references(&[("A", "x", 0.5)])).into_response(),
        }
    })
    .await;
    let body = question(&model, &[("ann/docs", &heals)]);
    app.chat(&body).await;
    assert_eq!(app.app.breakers()[0].state, BreakerState::Open);
    assert_eq!(app.chat(&body).await.json()["retrieval_info"][0]["status"], "success");
    assert_eq!(app.app.breakers(), []);
}

#[tokio::test]
async fn timeouts_and_closed_ports_are_failures() {
    let app = TestApp::with(|settings| {
        settings.aggregator.retrieval_timeout = Duration::from_millis(100);
        settings.aggregator.rules.breaker_failures = 1;
    });
    let (model, hung) = (Upstream::model("fine").await, hung().await);
    app.chat(&question(&model, &[("ann/hung", &hung)])).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let mut body = question(&model, &[]);
    body["data_sources"] = json!([endpoint("bob", "gone", &closed)]);
    app.chat(&body).await;
    let mut paths: Vec<String> = app.app.breakers().into_iter().map(|breaker| breaker.path).collect();
    paths.sort();
    assert_eq!(paths, ["ann/hung", "bob/gone"]);
}

#[tokio::test]
async fn a_question_that_is_given_up_tells_nothing() {
    let app = TestApp::with(|settings| settings.aggregator.rules.breaker_failures = 1);
    let (model, hung) = (Upstream::model("fine").await, hung().await);
    let body = question(&model, &[("ann/hung", &hung)]);
    {
        let asking = app.chat(&body);
        let called = wait::until(async || hung.calls().len() == 1, "the call");
        futures::future::select(Box::pin(asking), Box::pin(called)).await;
    }
    assert_eq!(app.app.breakers(), []);
}

#[tokio::test]
async fn a_slow_owner_takes_the_turns_of_no_other() {
    let app = TestApp::with(|settings| {
        settings.aggregator.retrieval_timeout = Duration::from_millis(500);
        settings.aggregator.rules.calls_per_owner = 2;
    });
    let (model, hung) = (Upstream::model("fine").await, hung().await);
    let good = Upstream::source(&[("A", "x", 0.5)]).await;
    let sources =
        [("ann/1", &hung), ("ann/2", &hung), ("ann/3", &hung), ("ann/4", &hung), ("bob/good", &good)];
    let answer = app.chat(&question(&model, &sources)).await.json();
    for number in 0..4 {
        assert_eq!(answer["retrieval_info"][number]["status"], "timeout", "{answer}");
    }
    assert_eq!(answer["retrieval_info"][4]["status"], "success");
}

#[tokio::test]
async fn calls_to_one_owner_take_turns() {
    let app = TestApp::with(|settings| settings.aggregator.rules.calls_per_owner = 2);
    let model = Upstream::model("fine").await;
    let pair = Arc::new(Barrier::new(2));
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counted, highest) = (Arc::clone(&now), Arc::clone(&most));
    let busy = Upstream::start(move |_, _| {
        let (pair, now, most) = (Arc::clone(&pair), Arc::clone(&counted), Arc::clone(&highest));
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            pair.wait().await;
            now.fetch_sub(1, Ordering::SeqCst);
            axum::Json(references(&[("A", "x", 0.5)])).into_response()
        }
    })
    .await;
    let sources: Vec<String> = (0..6).map(|number| format!("ann/{number}")).collect();
    let sources: Vec<(&str, &Upstream)> = sources.iter().map(|path| (path.as_str(), &busy)).collect();
    let answer = app.chat(&question(&model, &sources)).await.json();
    let infos = answer["retrieval_info"].as_array().unwrap();
    assert!(infos.iter().all(|info| info["status"] == "success"), "{answer}");
    assert_eq!((busy.calls().len(), most.load(Ordering::SeqCst)), (6, 2));
}

#[tokio::test]
async fn a_model_that_says_nothing_is_left_alone_too() {
    let app = TestApp::with(|settings| {
        settings.aggregator.generation_timeout = Duration::from_millis(100);
        settings.aggregator.rules.breaker_failures = 1;
    });
    let model = hung().await;
    let body = question(&model, &[]);
    assert!(app.chat(&body).await.text.contains("Model request timed out"));
    assert!(app.chat(&body).await.text.contains("left alone for now"));
    assert_eq!(model.calls().len(), 1);
}

/// A source that answers as many times as it says, and then never.
async fn hangs_after(answers: usize) -> Upstream {
    Upstream::start(move |number, _| async move {
        if number >= answers {
            std::future::pending::<()>().await;
        }
        axum::Json(references(&[("Late", "x", 0.5)])).into_response()
    })
    .await
}

#[tokio::test]
async fn a_quick_source_that_hangs_costs_only_its_own_documents() {
    let app = TestApp::with(|settings| {
        settings.aggregator.rules.straggler_wait = Duration::from_millis(100);
        settings.aggregator.rules.breaker_failures = 2;
    });
    let (model, good) = (Upstream::model("fine").await, Upstream::source(&[("A", "x", 0.5)]).await);
    let hangs = hangs_after(1).await;
    let body = question(&model, &[("ann/hangs", &hangs), ("bob/good", &good)]);
    assert_eq!(app.chat(&body).await.json()["retrieval_info"][0]["status"], "success");
    // The deadline of a source is half a minute; a test that waited for it would be ended before.
    for _ in 0..2 {
        let answer = app.chat(&body).await.json();
        let report = &answer["retrieval_info"][0];
        assert_eq!(report["status"], "timeout", "{answer}");
        assert!(report["error_message"].as_str().unwrap().contains("much longer than usual"), "{report}");
        assert_eq!(answer["retrieval_info"][1]["status"], "success");
    }
    assert_eq!(app.app.breakers()[0].state, BreakerState::Open, "it counts as failing");
}

#[tokio::test]
async fn a_source_is_waited_for_when_it_is_unknown_alone_or_required() {
    let app = TestApp::with(|settings| {
        settings.aggregator.rules.straggler_wait = Duration::from_millis(20);
        settings.aggregator.retrieval_timeout = Duration::from_millis(300);
    });
    let model = Upstream::model("fine").await;
    let (empty, good) = (Upstream::source(&[]).await, Upstream::source(&[("A", "x", 0.5)]).await);
    let (unknown, known, needed) = (hung().await, hangs_after(1).await, hangs_after(1).await);
    let message = async |body: &serde_json::Value| {
        let answer = app.chat(body).await;
        assert!(answer.text.contains("Request timed out"), "{}", answer.text);
    };
    message(&question(&model, &[("ann/unknown", &unknown), ("bob/good", &good)])).await;
    let alone = question(&model, &[("ann/known", &known), ("bob/empty", &empty)]);
    app.chat(&alone).await;
    message(&alone).await;
    let mut all = question(&model, &[("ann/needed", &needed), ("bob/good", &good)]);
    all["require_all_sources"] = true.into();
    app.chat(&all).await;
    message(&all).await;
}
