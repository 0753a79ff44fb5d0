//! The answer of `/chat`.

use serde_json::{Value, json};

use crate::actor::{TestApp, question, timeless};
use crate::upstream::{Upstream, references};

#[tokio::test]
async fn the_answer_has_every_key_that_clients_read() {
    let app = TestApp::new();
    let docs = Upstream::source(&[("Backups", "Restore a backup with `restore`.", 0.9)]).await;
    let model = Upstream::json(json!({"summary": {
        "message": {"role": "assistant", "content": "Use restore [cite:1]. Grüße."},
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
    }}))
    .await;
    let answer = app.chat(&question(&model, &[("ann/docs", &docs)])).await;
    assert_eq!(answer.status, 200);
    insta::assert_json_snapshot!(timeless(answer.json()), @r#"
    {
      "response": "Use restore [cite:1-0:12]. Grüße.",
      "sources": {
        "Backups": {
          "slug": "ann/docs",
          "content": "Restore a backup with `restore`."
        }
      },
      "retrieval_info": [
        {
          "path": "ann/docs",
          "documents_retrieved": 1,
          "status": "success",
          "error_message": null
        }
      ],
      "metadata": {
        "retrieval_time_ms": "[ms]",
        "generation_time_ms": "[ms]",
        "total_time_ms": "[ms]"
      },
      "usage": {
        "prompt_tokens": 5,
        "completion_tokens": 2,
        "total_tokens": 7
      },
      "profit_share": {
        "ann/docs": 1.0
      },
      "billing": null,
      "citations": {
        "1": {
          "slug": "ann/docs",
          "title": "Backups",
          "passage": "Restore a backup with `restore`.",
          "span": [
            0,
            32
          ]
        }
      }
    }
    "#);
}

#[tokio::test]
async fn shares_follow_the_citations() {
    let app = TestApp::new();
    let ann = Upstream::source(&[("A", "restore backup restore backup", 0.9)]).await;
    let bob = Upstream::source(&[("B", "something with restore", 0.5)]).await;
    for (text, expected) in [
        ("X [cite:1]. Y [cite:2].", json!({"ann/a": 0.5, "bob/b": 0.5})),
        ("X [cite:1,2]. Y [cite:1].", json!({"ann/a": 0.625, "bob/b": 0.375})),
        ("Nothing cited.", json!({"ann/a": 0.0, "bob/b": 0.0})),
    ] {
        let model = Upstream::model(text).await;
        let answer = app.chat(&question(&model, &[("ann/a", &ann), ("bob/b", &bob)])).await.json();
        assert_eq!(answer["profit_share"], expected, "{text}");
        assert_eq!(
            answer["citations"]["1"],
            json!({"slug": "ann/a", "title": "A", "passage": null, "span": null})
        );
    }
}

#[tokio::test]
async fn without_documents_there_is_nothing_to_share() {
    let app = TestApp::new();
    let (model, empty) = (Upstream::model("x [cite:1]").await, Upstream::source(&[]).await);
    for sources in [vec![], vec![("ann/a", &empty)]] {
        let answer = app.chat(&question(&model, &sources)).await.json();
        assert_eq!(answer["profit_share"], Value::Null);
        assert_eq!(answer["billing"], Value::Null);
        assert_eq!(answer["response"], "x [cite:1]");
    }
    assert!(model.last_user_message().contains("returned nothing"));
}

#[tokio::test]
async fn sources_are_listed_in_the_order_of_the_request() {
    let app = TestApp::new();
    let model = Upstream::model("ok").await;
    let slow = Upstream::start(|_, _| async {
        tokio::time::sleep(std::time::Duration::from_millis(60)).await;
        axum::response::IntoResponse::into_response(axum::Json(references(&[("Slow", "restore", 0.1)])))
    })
    .await;
    let fast = Upstream::source(&[("Fast", "backup", 0.9), ("Slow", "backup too", 0.8)]).await;
    let body = question(&model, &[("ann/slow", &slow), ("bob/fast", &fast)]);
    let stream = app.stream(&body).await;
    let first = stream.events().into_iter().find(|(name, _)| name == "source_complete").unwrap();
    assert_eq!(first.1["path"], "bob/fast", "completion order");
    for answer in [stream.event("done"), app.chat(&body).await.json()] {
        let titles: Vec<&String> = answer["sources"].as_object().unwrap().keys().collect();
        assert_eq!(titles, ["Slow", "Fast", "Slow (2)"]);
        assert_eq!(answer["sources"]["Slow"]["slug"], "ann/slow");
        assert_eq!(answer["retrieval_info"][0]["path"], "ann/slow");
    }
}

fn with_policy(mut body: Value, entries: &Value) -> Value {
    body["policy_metadata"] = json!({"outcome": "success", "entries": entries});
    body
}

fn charged(amount: f64, currency: &str) -> Value {
    json!([{"policy_type": "mpp", "kind": "price", "status": "charged", "amount": amount, "currency": currency}])
}

#[tokio::test]
async fn charges_of_sources_and_model_are_summed_up() {
    let app = TestApp::new();
    let docs = references(&[("A", "restore", 0.9)]);
    let ann = Upstream::json(with_policy(docs.clone(), &charged(0.25, "USD"))).await;
    let reply = json!({"summary": {"message": {"content": "ok"}}});
    let model = Upstream::json(with_policy(reply.clone(), &charged(0.5, "USD"))).await;
    let billing = app.chat(&question(&model, &[("ann/a", &ann)])).await.json()["billing"].clone();
    assert_eq!((&billing["total_cost"], &billing["currency"]), (&json!(0.75), &json!("USD")));
    assert_eq!(billing["entries"][0]["source"], "ann/a");
    assert_eq!(billing["entries"][1]["source"], "mia/writer");
    let euro = Upstream::json(with_policy(reply, &charged(0.5, "EUR"))).await;
    let mixed = app.stream(&question(&euro, &[("ann/a", &ann)])).await.event("done")["billing"].clone();
    assert_eq!((&mixed["total_cost"], &mixed["currency"]), (&Value::Null, &Value::Null));
    assert_eq!(mixed["entries"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_was_paid_before_a_failure_is_reported_with_it() {
    let app = TestApp::new();
    let ann = Upstream::json(with_policy(references(&[("A", "restore", 0.9)]), &charged(0.25, "USD"))).await;
    let refusal = json!({"detail": "no credit", "policy_metadata": {"outcome": "access_denied", "entries": [
        {"policy_type": "acl", "kind": "access", "status": "rejected"},
    ]}});
    let model = Upstream::status(403, refusal).await;
    let body = question(&model, &[("ann/a", &ann)]);
    let stream = app.stream(&body).await;
    let error = stream.event("error");
    assert_eq!(error["message"], "Generation failed: Model access denied: no credit");
    assert_eq!(error["billing"]["total_cost"], 0.25);
    assert_eq!(error["billing"]["entries"][1]["status"], "rejected");
    let whole = app.chat(&body).await;
    assert_eq!(whole.status, 400);
    assert_eq!(whole.json()["billing"], error["billing"]);
    assert_eq!(whole.json()["message"], error["message"]);
    assert_eq!(whole.json()["detail"], error["message"]);
}
