//! The accounting routes that published clients still call.

use http::StatusCode;
use serde_json::json;

use crate::actor::TestApp;

#[tokio::test]
async fn nobody_has_an_account_and_every_route_says_so() {
    let (_app, anon, user) = TestApp::start().await.with_user("bob").await;
    let credentials = user.get("/api/v1/users/me/accounting").await.expect(StatusCode::OK);
    assert_eq!(credentials, json!({"url": null, "email": "bob@example.com", "password": null}));
    let tokens = "/api/v1/accounting/transaction-tokens";
    let none = json!({});
    for answer in [
        user.post(tokens, &json!({"owner_usernames": ["alice"]})).await,
        user.get("/api/v1/accounting/user").await,
        user.get("/api/v1/accounting/transactions?skip=0&limit=100").await,
        user.post("/api/v1/accounting/transactions", &none).await,
        user.post("/api/v1/accounting/transactions/tx-1/confirm", &none).await,
        user.post("/api/v1/accounting/transactions/tx-1/cancel", &none).await,
    ] {
        assert_eq!(answer.refused(400)["code"], "ACCOUNTING_NOT_CONFIGURED");
    }
    for body in [none, json!({"owner_usernames": []}), json!({"owner_usernames": vec!["x"; 21]})] {
        assert_eq!(user.post(tokens, &body).await.refused_fields(), ["owner_usernames"]);
    }
    let wrong = user.get("/api/v1/accounting/transactions?skip=-1&limit=101").await;
    assert_eq!(wrong.refused_fields(), ["skip", "limit"]);
    for path in ["/api/v1/users/me/accounting", "/api/v1/accounting/user"] {
        anon.get(path).await.refused(401);
    }
}
