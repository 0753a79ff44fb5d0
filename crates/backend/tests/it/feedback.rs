//! Feedback of users, from the form to the administrators' list.

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use syfthub_config::FeedbackSink;

use crate::actor::{Actor, Answer, TestApp};
use crate::shorthand::each;

const PATH: &str = "/api/v1/feedback";
const ADMIN: &str = "/api/v1/admin/feedback";

/// Sends a form of texts and perhaps a file.
async fn send(actor: &Actor, texts: &[(&str, &str)], file: Option<&[u8]>) -> Answer {
    let mut body = Vec::new();
    for (name, text) in texts {
        body.extend(
            format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n").bytes(),
        );
    }
    if let Some(file) = file {
        let head = "--XX\r\nContent-Disposition: form-data; name=\"screenshot\"; filename=\"../x.png\"\r\nContent-Type: image/png\r\n\r\n";
        body.extend(head.bytes());
        body.extend(file);
        body.extend(b"\r\n");
    }
    body.extend(b"--XX--\r\n");
    let request = Request::post(PATH).header(header::CONTENT_TYPE, "multipart/form-data; boundary=XX");
    actor.raw(request.body(Body::from(body)).unwrap()).await
}

fn receipt(answer: &Answer) -> (bool, String, Option<String>) {
    let body = answer.expect(StatusCode::OK);
    let text = |key: &str| body[key].as_str().map(str::to_owned);
    (body["success"].as_bool().unwrap(), text("message").unwrap(), text("ticket_id"))
}

#[tokio::test]
async fn feedback_reaches_the_administrators() {
    let (app, anon, user) = TestApp::start().await.with_user("bob").await;
    let texts = [
        ("category", "bug"),
        ("description", "  It broke  "),
        ("page_url", "https://hub.example.org/x"),
        ("app_version", ""),
        ("browser_info", "Mozilla"),
        ("extra", "ignored"),
    ];
    let picture = b"GIF89a and what follows";
    let (success, _, ticket) = receipt(&send(&user, &texts, Some(picture)).await);
    assert!(success);
    let ticket = ticket.unwrap();
    receipt(&send(&user, &[("description", "An idea")], Some(b"")).await);

    let admin = app.admin().await;
    let list = admin.get(ADMIN).await.expect(StatusCode::OK);
    assert_eq!(each(&list["items"], "description"), ["An idea", "It broke"]);
    assert_eq!((&list["total"], &list["items"][0]["has_screenshot"]), (&json!(2), &json!(false)));
    let one = admin.get(&format!("{ADMIN}/{ticket}")).await.expect(StatusCode::OK);
    assert_eq!(
        (&one["username"], &one["category"], &one["status"], &one["app_version"], &one["screenshot_bytes"]),
        (&json!("bob"), &json!("bug"), &json!("new"), &Value::Null, &json!(23))
    );
    let file = admin.get(&format!("{ADMIN}/{ticket}/screenshot")).await;
    assert_eq!((file.text.as_bytes(), file.header("content-type")), (picture.as_slice(), "image/gif"));
    assert_eq!(file.header("content-disposition"), "attachment; filename=\"feedback-screenshot.gif\"");
    assert_eq!(file.header("x-content-type-options"), "nosniff");
    assert_eq!(file.header("content-security-policy"), "default-src 'none'; sandbox");

    let changed = admin.patch(&format!("{ADMIN}/{ticket}"), &json!({"status": "resolved"})).await;
    assert_eq!(changed.expect(StatusCode::OK)["status"], "resolved");
    assert_eq!(admin.get(&format!("{ADMIN}?status=resolved&category=bug")).await.json()["total"], 1);
    assert_eq!(admin.get(&format!("{ADMIN}?status=new&category=bug")).await.json()["total"], 0);
    assert_eq!(
        admin.get(&format!("{ADMIN}?status=x&category=y")).await.refused_fields(),
        ["status", "category"]
    );
    assert_eq!(
        admin.patch(&format!("{ADMIN}/{ticket}"), &json!({"status": "x"})).await.refused_fields(),
        ["status"]
    );
    admin.patch(&format!("{ADMIN}/none"), &json!({"status": "new"})).await.refused(404);
    admin.get(&format!("{ADMIN}/none")).await.refused(404);
    admin.get(&format!("{ADMIN}/none/screenshot")).await.refused(404);
    for path in [ADMIN.to_owned(), format!("{ADMIN}/{ticket}"), format!("{ADMIN}/{ticket}/screenshot")] {
        user.get(&path).await.refused(403);
        anon.get(&path).await.refused(401);
    }
}

#[tokio::test]
async fn a_bad_picture_costs_the_picture_and_not_the_words() {
    let (app, _, user) = TestApp::start().await.with_user("bob").await;
    let admin = app.admin().await;
    let texts = [("description", "It broke")];
    let mut large = b"GIF89a".to_vec();
    large.resize(5 * 1024 * 1024 + 1, b'x');
    for (file, told) in [(b"<svg onload=alert(1)>".as_slice(), "no PNG"), (&large, "larger than 5 MB")] {
        let (success, message, ticket) = receipt(&send(&user, &texts, Some(file)).await);
        assert!(success && message.contains(told), "{message}");
        let one = admin.get(&format!("{ADMIN}/{}", ticket.unwrap())).await;
        assert_eq!(one.expect(StatusCode::OK)["has_screenshot"], false);
    }
    large.truncate(5 * 1024 * 1024);
    assert_eq!(receipt(&send(&user, &texts, Some(&large)).await).1, "Thank you for your feedback");
    large.resize(11 * 1024 * 1024, b'x');
    send(&user, &texts, Some(&large)).await.is(413);
}

#[tokio::test]
async fn a_wrong_form_is_refused_with_all_its_faults() {
    let (_app, anon, user) = TestApp::start().await.with_user("bob").await;
    let wrong = [("category", "rant"), ("description", " "), ("app_version", &"x".repeat(101))];
    assert_eq!(send(&user, &wrong, None).await.refused_fields(), ["category", "description", "app_version"]);
    assert_eq!(send(&user, &[], None).await.refused_fields(), ["description"]);
    assert_eq!(send(&user, &[("description", "a\0b")], None).await.refused(422)[0]["type"], "value_error");
    user.post(PATH, &json!({"description": "x"})).await.is(415);
    user.having(
        Method::POST,
        PATH,
        &[("content-type", "multipart/form-data; boundary=XX")],
        "--XX\r\nnonsense",
    )
    .await
    .is(400);
    send(&anon, &[("description", "x")], None).await.refused(401);
}

#[tokio::test]
async fn a_user_says_ten_things_in_an_hour() {
    let (app, _, user) = TestApp::start().await.with_user("bob").await;
    for _ in 0..10 {
        receipt(&send(&user, &[("description", "x")], None).await);
    }
    send(&user, &[("description", "x")], None).await.refused(429);
    let other = app.user("eve").await;
    receipt(&send(&other, &[("description", "x")], None).await);
}

#[tokio::test]
async fn a_hub_without_feedback_says_so_with_200() {
    let app = TestApp::start_with(|settings| settings.optional.feedback_sink = FeedbackSink::None).await;
    let user = app.user("bob").await;
    let answer = send(&user, &[("description", "x")], None).await.expect(StatusCode::OK);
    assert_eq!((&answer["success"], answer.get("ticket_id")), (&json!(false), None));
}
