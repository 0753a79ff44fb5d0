//! Body, query and path extractors.

use axum::body::Body;
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use syfthub_web::{ApiResult, Bearer, Fields, FormBody, JsonBody, MaybeJson, PathId, QueryFields};

use crate::client::{get as fetch, request, send, stack};

fn router() -> Router {
    stack().wrap(
        Router::new()
            .route("/echo", post(|JsonBody(body): JsonBody| async { Json(body) }))
            .route("/maybe", post(|MaybeJson(body): MaybeJson| async move { Json(body.is_some()) }))
            .route("/form", post(|FormBody(body): FormBody| async { Json(body) }))
            .route("/query", get(query))
            .route("/things/{thing_id}", get(|PathId(id): PathId| async move { Json(id) }))
            .route("/me", get(me)),
    )
}

async fn query(QueryFields(mut fields): QueryFields) -> ApiResult<Json<Value>> {
    let skip = fields.int("skip").at_least(0).or(0);
    let limit = fields.int("limit").range(1, 100).or(10);
    let tags = fields.strings("tag").or(Vec::new());
    fields.finish()?;
    Ok(Json(json!([skip, limit, tags])))
}

async fn me(bearer: Bearer) -> ApiResult<String> {
    Ok(bearer.required()?.expose().to_owned())
}

#[tokio::test]
async fn a_json_body_is_read() {
    let answer = send(&router(), request("POST", "/echo", r#"{"a": [1, "ü"]}"#)).await;
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({"a": [1, "ü"]})));
    let answer = send(&router(), request("POST", "/maybe", Body::empty())).await;
    assert_eq!(answer.text, "false");
}

#[tokio::test]
async fn malformed_and_absent_bodies_are_422_with_a_location() {
    let answer = send(&router(), request("POST", "/echo", "{\"a\": }")).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        answer.json()["detail"],
        json!([{"type": "json_invalid", "loc": ["body", 6], "msg": "JSON decode error", "input": null}])
    );
    let answer = send(&router(), request("POST", "/echo", Body::empty())).await;
    assert_eq!(
        answer.json()["detail"],
        json!([{"type": "missing", "loc": ["body"], "msg": "Field required", "input": null}])
    );
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_413_and_a_form_on_a_json_route_415() {
    let answer = send(&router(), request("POST", "/echo", vec![b' '; 2000])).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.json()["error"]["code"], "PAYLOAD_TOO_LARGE");
    let form = Request::post("/echo")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from("a=1"))
        .unwrap();
    let answer = send(&router(), form).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(answer.text.contains("application/json"));
}

#[tokio::test]
async fn forms_queries_and_ids_are_read() {
    let form = Request::post("/form").body(Body::from("a=1&b=x+y&b=%C3%BC")).unwrap();
    assert_eq!(send(&router(), form).await.json(), json!({"a": "1", "b": ["x y", "ü"]}));
    assert_eq!(
        fetch(&router(), "/query?skip=3&limit=5&limit=7&tag=a&tag=b").await.json(),
        json!([3, 7, ["a", "b"]])
    );
    assert_eq!(fetch(&router(), "/query?tag=a").await.json(), json!([0, 10, ["a"]]));
    assert_eq!(fetch(&router(), "/things/42").await.text, "42");
}

#[tokio::test]
async fn wrong_queries_and_ids_are_422_with_a_location() {
    let answer = fetch(&router(), "/query?skip=-1&limit=x").await;
    let detail = answer.json()["detail"].clone();
    assert_eq!(detail[0]["loc"], json!(["query", "skip"]));
    assert_eq!(detail[0]["type"], "greater_than_equal");
    assert_eq!(detail[1]["type"], "int_parsing");
    let answer = fetch(&router(), "/things/abc").await;
    assert_eq!(answer.json()["detail"][0]["loc"], json!(["path", "thing_id"]));
    assert_eq!(answer.json()["detail"][0]["type"], "int_parsing");
}

#[tokio::test]
async fn a_path_with_nul_leads_nowhere() {
    for path in ["/things/4%002", "/%00", "/me%00", "/things/%2500%00"] {
        let answer = fetch(&router(), path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.json()["detail"], "Not Found");
    }
    // A percent sign that was itself encoded is an ordinary character.
    assert_eq!(fetch(&router(), "/things/%2500").await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn without_a_token_401_asks_for_one() {
    let answer = fetch(&router(), "/me").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    assert_eq!(answer.json()["detail"], "Not authenticated");
}

#[test]
fn the_reader_can_be_used_without_a_request() {
    assert!(Fields::body(json!({})).unwrap().finish().is_ok());
}
