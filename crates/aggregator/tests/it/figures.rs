//! The figures of the service, each seen to move.

use std::time::Duration;

use axum::body::Body;
use axum::response::IntoResponse;
use bytes::Bytes;
use futures::StreamExt;
use http_body_util::BodyExt;
use metrics::LocalRecorderGuard;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use serde_json::{Value, json};
use syfthub_config::Reranker;
use syfthub_logging::Metrics;
use tower::ServiceExt;

use crate::actor::{TestApp, endpoint, post, question};
use crate::upstream::{Upstream, event_stream, references};

/// Counts what happens on the test's own thread.
struct Figures {
    handle: PrometheusHandle,
    _guard: LocalRecorderGuard<'static>,
}

impl Figures {
    fn listen() -> Self {
        let recorder: &'static PrometheusRecorder =
            Box::leak(Box::new(PrometheusBuilder::new().build_recorder()));
        Self { handle: recorder.handle(), _guard: metrics::set_default_local_recorder(recorder) }
    }

    /// The value of a series, 0 when there is none.
    fn of(&self, series: &str) -> f64 {
        let text = self.handle.render();
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().unwrap())
    }

    fn assert(&self, expected: &[(&str, f64)]) {
        for (series, value) in expected {
            let found = self.of(series);
            assert!(
                (found - value).abs() < 1e-9,
                "{series} is {found} and not {value}\n{}",
                self.handle.render()
            );
        }
    }
}

const SPOKEN: &[&str] =
    &[r#"data: {"content":"It "}"#, r#"data: {"content":"rose [cite:1] [cite:9]."}"#, "data: [DONE]"];

#[tokio::test]
async fn an_answer_and_its_stages() {
    let figures = Figures::listen();
    let (app, model) = (TestApp::new(), Upstream::stream(SPOKEN).await);
    let source = Upstream::source(&[("A", "It rose; password=Tr0ub4dor-and-3", 0.9)]).await;
    let missing = Upstream::status(404, json!({})).await;
    app.stream(&question(&model, &[("ann/docs", &source), ("bob/docs", &missing)])).await;
    for stage in ["tokens", "retrieve", "mask", "rerank", "dedupe", "prompt", "generate", "attribute"] {
        figures.assert(&[(&format!("syfthub_chat_stage_seconds_count{{stage=\"{stage}\"}}"), 1.0)]);
    }
    figures.assert(&[
        ("syfthub_chat_requests_total{outcome=\"ok\"}", 1.0),
        ("syfthub_chat_request_seconds_count", 1.0),
        ("syfthub_chat_first_token_seconds_count", 1.0),
        ("syfthub_chat_tokens_per_second_count", 1.0),
        ("syfthub_data_source_queries_total{status=\"success\"}", 1.0),
        ("syfthub_data_source_queries_total{status=\"error\"}", 1.0),
        ("syfthub_data_source_query_seconds_count", 2.0),
        ("syfthub_model_queries_total{status=\"success\"}", 1.0),
        ("syfthub_model_query_seconds_count", 1.0),
        ("syfthub_citations_removed_total", 1.0),
        ("syfthub_chats_active{delivery=\"stream\"}", 0.0),
        ("syfthub_sse_streams_active", 0.0),
    ]);
    let masked = figures.handle.render();
    assert!(masked.contains("syfthub_secrets_masked_total{kind="), "{masked}");
}

#[tokio::test]
async fn a_chat_without_sources_has_no_stages_for_them() {
    let figures = Figures::listen();
    let (app, model) = (TestApp::new(), Upstream::model("ok").await);
    app.chat(&question(&model, &[])).await;
    let text = figures.handle.render();
    for stage in ["retrieve", "mask", "rerank", "dedupe"] {
        assert!(!text.contains(&format!("stage=\"{stage}\"")), "{stage}: {text}");
    }
    figures.assert(&[
        ("syfthub_chat_first_token_seconds_count", 0.0),
        ("syfthub_chat_tokens_per_second_count", 0.0),
        ("syfthub_chats_active{delivery=\"whole\"}", 0.0),
    ]);
}

#[tokio::test]
async fn streams_are_counted_until_their_clients_leave() {
    let figures = Figures::listen();
    let app = TestApp::new();
    let model = Upstream::start(|_, _| {
        let word = Ok::<_, std::convert::Infallible>(Bytes::from("data: word\n\n"));
        let words = futures::stream::iter([word]).chain(futures::stream::pending());
        std::future::ready(event_stream(Body::from_stream(words)))
    })
    .await;
    let mut bodies = Vec::new();
    for _ in 0..3 {
        let request = post("/api/v1/chat/stream", &question(&model, &[]));
        let mut body = app.router().oneshot(request).await.unwrap().into_body();
        body.frame().await.unwrap().unwrap();
        bodies.push(body);
    }
    let series = ("syfthub_chats_active{delivery=\"stream\"}", "syfthub_sse_streams_active");
    figures.assert(&[(series.0, 3.0), (series.1, 3.0)]);
    bodies.pop();
    tokio::task::yield_now().await;
    figures.assert(&[(series.0, 2.0), (series.1, 2.0)]);
    drop(bodies);
    tokio::task::yield_now().await;
    figures.assert(&[
        (series.0, 0.0),
        (series.1, 0.0),
        ("syfthub_chat_requests_total{outcome=\"CANCELLED\"}", 3.0),
    ]);
}

#[tokio::test]
async fn a_detached_run_is_counted_beyond_its_client() {
    let figures = Figures::listen();
    let (app, model) = (TestApp::new(), Upstream::model("ok").await);
    let mut request = post("/api/v1/chat/stream", &question(&model, &[]));
    request.headers_mut().insert("idempotency-key", "7b0c9a52-2f0e-4d0c-9a3e-key".parse().unwrap());
    assert_eq!(app.send(request).await.status, 200);
    figures.assert(&[("syfthub_detached_runs", 1.0), ("syfthub_sse_streams_active", 0.0)]);
    drop(app);
    tokio::task::yield_now().await;
    figures.assert(&[("syfthub_detached_runs", 0.0)]);
}

#[tokio::test]
async fn models_that_do_not_answer() {
    let figures = Figures::listen();
    let app = TestApp::with(|settings| settings.aggregator.generation_timeout = Duration::from_millis(100));
    let (limited, gone) = (Upstream::status(429, json!({})).await, Upstream::status(404, json!({})).await);
    let mut body = question(&limited, &[]);
    body["fallback_models"] = json!([endpoint("bob", "writer", &gone.url)]);
    app.chat(&body).await;
    figures.assert(&[
        ("syfthub_model_queries_total{status=\"rate_limited\"}", 1.0),
        ("syfthub_model_queries_total{status=\"error\"}", 1.0),
        ("syfthub_model_fallbacks_total", 1.0),
        ("syfthub_chat_requests_total{outcome=\"GENERATION_FAILED\"}", 1.0),
    ]);
}

#[tokio::test]
async fn endpoints_that_are_left_alone() {
    let figures = Figures::listen();
    let app = TestApp::with(|settings| {
        settings.aggregator.rules.breaker_failures = 1;
        settings.aggregator.rules.breaker_pause = Duration::from_mins(1);
    });
    let (model, down) = (Upstream::model("ok").await, Upstream::status(500, json!({})).await);
    let body = question(&model, &[("ann/down", &down)]);
    app.chat(&body).await;
    app.chat(&body).await;
    figures.assert(&[
        ("syfthub_breakers{state=\"open\"}", 1.0),
        ("syfthub_breakers{state=\"half_open\"}", 0.0),
        ("syfthub_breaker_transitions_total{to=\"open\"}", 1.0),
        ("syfthub_breaker_refusals_total", 1.0),
    ]);
}

#[tokio::test]
async fn queries_that_wait_for_their_turn() {
    let figures = Figures::listen();
    let app = TestApp::with(|settings| settings.aggregator.rules.calls_per_owner = 1);
    let model = Upstream::model("ok").await;
    let slow = Upstream::start(|_, _| async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        axum::Json(references(&[("A", "x", 0.5)])).into_response()
    })
    .await;
    app.chat(&question(&model, &[("ann/1", &slow), ("ann/2", &slow), ("ann/3", &slow)])).await;
    figures.assert(&[("syfthub_data_source_turn_seconds_count", 2.0)]);
}

#[tokio::test]
async fn rankings_asked_of_a_service() {
    let figures = Figures::listen();
    let model = Upstream::model("ok").await;
    let source = Upstream::source(&[("A", "Restore a backup so", 0.9)]).await;
    let body = question(&model, &[("ann/a", &source)]);
    let asked = async |service: &Upstream, times: usize| {
        let app = TestApp::with(|settings| {
            let url = format!("{}/rerank", service.url).parse().unwrap();
            let timeout = Duration::from_secs(5);
            settings.aggregator.rules.reranker = Some(Reranker { url, api_key: None, model: None, timeout });
        });
        for _ in 0..times {
            app.chat(&body).await;
        }
    };
    asked(&Upstream::json(json!([{"index": 0, "score": 1.0}])).await, 2).await;
    asked(&Upstream::status(500, json!({})).await, 4).await;
    figures.assert(&[
        ("syfthub_rerank_external_total{outcome=\"ok\"}", 2.0),
        ("syfthub_rerank_external_total{outcome=\"failed\"}", 3.0),
        ("syfthub_rerank_external_total{outcome=\"skipped\"}", 1.0),
    ]);
}

#[tokio::test]
async fn what_is_lost_is_counted() {
    let figures = Figures::listen();
    let (app, model) = (TestApp::new(), Upstream::model("ok").await);
    let mut body = question(&model, &[]);
    body["user_token"] = json!("syft_pat_good");
    body["conversation_id"] = json!("01980a3e-5d0c-7c52-b7a1-5f6f3f0f9f12");
    app.chat(&body).await;
    figures.assert(&[("syfthub_conversation_append_failed_total", 1.0)]);
}

#[tokio::test]
async fn the_page_explains_every_figure() {
    let (app, model) = (TestApp::new(), Upstream::model("ok").await);
    let page = Metrics::install();
    let source = Upstream::source(&[("A", "x", 0.9)]).await;
    app.stream(&question(&model, &[("ann/docs", &source)])).await;
    let (_, json) = page.render(Some("application/json"));
    let page: Value = serde_json::from_str(&json).unwrap();
    let families = page["metrics"].as_array().unwrap();
    let ours = |family: &&Value| family["name"].as_str().unwrap().starts_with("syfthub_");
    let names: Vec<&str> =
        families.iter().filter(ours).map(|family| family["name"].as_str().unwrap()).collect();
    for name in ["syfthub_chat_requests_total", "syfthub_chat_stage_seconds", "syfthub_sse_streams_active"] {
        assert!(names.contains(&name), "{name} is missing in {names:?}");
    }
    for family in families.iter().filter(ours) {
        assert!(family["help"].is_string(), "{} is not explained", family["name"]);
    }
    let buckets = families.iter().find(|family| family["name"] == "syfthub_chat_stage_seconds").unwrap();
    assert_eq!(buckets["type"], "histogram");
}
