//! `/q`: a question in an address.

use serde_json::{Value, json};
use syfthub_domain::EndpointPath;
use syfthub_proto::common::EndpointType;
use syfthub_proto::directory::Endpoint;

use crate::actor::{Answer, TestApp};
use crate::upstream::Upstream;

fn published(kind: EndpointType, upstream: &Upstream) -> Endpoint {
    Endpoint { r#type: kind.into(), url: upstream.url.clone(), ..Endpoint::default() }
}

fn result(answer: &Answer) -> Value {
    assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8");
    assert!(answer.headers["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    let (_, rest) = answer.text.split_once(r#"<script id="query-result" type="application/json">"#).unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

async fn hub() -> (TestApp, Upstream, Upstream) {
    let app = TestApp::with(|settings| {
        settings.aggregator.query_model = EndpointPath::parse("mia/writer");
        settings.aggregator.url_fetcher = EndpointPath::parse("ann/fetch");
    });
    let source =
        Upstream::source(&[("Notes </script>", "Herons eat fish </pre><script>alert(1)</script>", 0.9)])
            .await;
    let model = Upstream::model("Fish [cite:1]. Frogs [cite:9].").await;
    app.hub.publish_as("ann/docs", published(EndpointType::DataSource, &source));
    app.hub.publish_as("ann/fetch", published(EndpointType::DataSource, &source));
    app.hub.publish_as("mia/writer", published(EndpointType::Model, &model));
    (app, source, model)
}

#[tokio::test]
async fn documents_are_shown_and_nothing_in_them_runs() {
    let (app, _source, model) = hub().await;
    let answer = app.get("/api/v1/q?q=ann/docs!What%20do%20herons%20eat%3F").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let found = result(&answer);
    assert_eq!(found["query"], "ann/docs!What do herons eat?");
    assert_eq!(
        (&found["model"], &found["answer"], &found["error"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!(found["data_sources"], json!(["ann/docs"]));
    assert_eq!(found["sources"]["Notes </script>"]["slug"], "ann/docs");
    assert_eq!(answer.text.matches("<script").count(), 1);
    assert!(answer.text.contains("Herons eat fish &lt;/pre&gt;"), "{}", answer.text);
    assert!(model.calls().is_empty(), "the model is not even looked up");
}

#[tokio::test]
async fn an_answer_is_made_on_demand_and_pages_are_fetched() {
    let (app, source, model) = hub().await;
    let answer = app.get("/api/v1/q?q=example.org/a%7Cann/docs!herons&aggregate=true").await;
    let found = result(&answer);
    assert_eq!((&found["model"], &found["answer"]), (&json!("mia/writer"), &json!("Fish [cite:1]. Frogs .")));
    assert_eq!(found["data_sources"], json!(["https://example.org/a", "ann/docs"]));
    let mut asked: Vec<Value> =
        source.calls().into_iter().map(|call| call.body["messages"].clone()).collect();
    asked.sort_by_key(ToString::to_string);
    assert_eq!(asked, [json!("herons"), json!("https://example.org/a")]);
    assert_eq!(model.calls().len(), 1);
    let general = app.get("/api/v1/q?q=!Why%3F&aggregate=1").await;
    assert_eq!(general.status, 200, "{}", general.text);
}

#[tokio::test]
async fn what_is_wrong_is_told_on_the_page() {
    let (app, _source, _model) = hub().await;
    for (address, status) in [
        ("/api/v1/q", 400),
        ("/api/v1/q?q=x", 400),
        ("/api/v1/q?q=ann/docs!", 400),
        ("/api/v1/q?q=docs!why", 400),
        ("/api/v1/q?q=!why", 400),
        ("/api/v1/q?q=ann/gone!why", 502),
        ("/api/v1/q?q=!why&aggregate=true&model=mia/gone", 502),
    ] {
        let answer = app.get(address).await;
        assert_eq!(answer.status, status, "{address}: {}", answer.text);
        assert!(result(&answer)["error"].is_string());
    }
    let bare = TestApp::new();
    for address in ["/api/v1/q?q=!why&aggregate=true", "/api/v1/q?q=example.org!why"] {
        let answer = bare.get(address).await;
        assert_eq!(answer.status, 503, "{address}");
        assert!(result(&answer)["error"].as_str().unwrap().contains("AGGREGATOR_"));
    }
}
