//! Wallets, payments and subscriptions.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde_json::{Value, json};
use syfthub_config::WalletProvider;
use syfthub_store::wallets;

use crate::actor::{Actor, TestApp};

const PATH: &str = "/api/v1/wallet";
const PAY: &str = "/api/v1/wallet/pay";
const KEY: &str = "0x00000000000000000000000000000000000000000000000000000000000000aa";

async fn mock() -> TestApp {
    TestApp::start_with(|settings| settings.wallet.provider = WalletProvider::Mock).await
}

/// A challenge over so many millionths of a dollar.
fn challenge(id: &str, amount: i64) -> Value {
    let request = json!({"amount": amount.to_string(), "currency": "USD", "recipient": "0xb0b"});
    let request = URL_SAFE_NO_PAD.encode(request.to_string());
    let header =
        format!(r#"Payment id="{id}", realm="node", method="mock", intent="charge", request="{request}""#);
    json!({"www_authenticate": header, "endpoint_slug": "notes"})
}

async fn balance(user: &Actor) -> f64 {
    user.get(&format!("{PATH}/balance")).await.expect(StatusCode::OK)["balance"].as_f64().unwrap()
}

async fn made(user: &Actor) -> String {
    let made = user.post(&format!("{PATH}/create"), &json!({})).await.expect(StatusCode::OK);
    made["address"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn without_wallets_everything_reads_as_empty() {
    let (_app, anon, bob) = TestApp::start().await.with_user("bob").await;
    for path in
        [PATH.to_owned(), format!("{PATH}/"), format!("{PATH}/balance"), format!("{PATH}/transactions")]
    {
        anon.get(&path).await.refused(401);
    }
    for path in [PATH.to_owned(), format!("{PATH}/")] {
        assert_eq!(bob.get(&path).await.expect(StatusCode::OK), json!({"address": null, "exists": false}));
    }
    let empty =
        json!({"balance": 0.0, "currency": "USD", "recent_transactions": [], "wallet_configured": false});
    assert_eq!(bob.get(&format!("{PATH}/balance")).await.json(), empty);
    assert_eq!(bob.get(&format!("{PATH}/transactions")).await.json(), json!([]));
    let import = json!({"private_key": KEY});
    for answer in [
        bob.post(&format!("{PATH}/create"), &json!({})).await,
        bob.post(&format!("{PATH}/import"), &import).await,
    ] {
        let told = answer.refused(503);
        assert_eq!(told["code"], "NOT_CONFIGURED");
        assert!(told["message"].as_str().unwrap().contains("WALLET_PROVIDER"));
    }
    assert_eq!(bob.post(PAY, &challenge("a", 1)).await.refused(400)["code"], "WALLET_NOT_CONFIGURED");
    let long = json!({"www_authenticate": "x".repeat(10_001), "endpoint_slug": "notes"});
    assert_eq!(bob.post(PAY, &long).await.refused(400)["code"], "CHALLENGE_TOO_LARGE");
    assert_eq!(bob.post(PAY, &json!({})).await.refused_fields(), ["www_authenticate", "endpoint_slug"]);
}

#[tokio::test]
async fn a_wallet_is_made_once_and_its_key_is_sealed() {
    let (app, _, bob) = mock().await.with_user("bob").await;
    let address = made(&bob).await;
    assert_eq!((address.len(), &address[..2]), (42, "0x"));
    assert_eq!(made(&bob).await, address);
    assert_eq!(bob.get(PATH).await.json(), json!({"address": address, "exists": true}));
    assert_eq!(bob.get("/api/v1/auth/me").await.json()["wallet_address"], address);

    let import = format!("{PATH}/import");
    assert!(bob.post(&import, &json!({"private_key": "nonsense"})).await.refused(400).is_string());
    let answer = bob.post(&import, &json!({"private_key": 7})).await;
    assert_eq!(answer.refused_fields(), ["private_key"]);
    let imported = bob.post(&import, &json!({"private_key": KEY})).await.expect(StatusCode::OK);
    assert_ne!(imported["address"], address);
    assert_eq!(bob.get(PATH).await.json()["address"], imported["address"]);
    let row = wallets::find(&app.db, syfthub_domain::UserId(bob.id)).await.unwrap().unwrap();
    let sealed = row.wallet_private_key.unwrap();
    assert!(!sealed.expose().contains("00000000") && sealed.expose().len() > KEY.len());
    // The key survives a restart: it pays.
    let again = app.restarted_with(|_| {}).await;
    let bob = again.with_token(bob.token.as_deref().unwrap());
    bob.post(PAY, &challenge("after", 1_000_000)).await.expect(StatusCode::OK);
    // Where wallets were switched off again, nothing is paid.
    let off = again.restarted_with(|settings| settings.wallet.provider = WalletProvider::None).await;
    let bob = off.with_token(bob.token.as_deref().unwrap());
    assert_eq!(bob.post(PAY, &challenge("off", 1)).await.refused(503)["code"], "NOT_CONFIGURED");
}

#[tokio::test]
async fn a_challenge_is_paid_once() {
    let (_app, _, bob) = mock().await.with_user("bob").await;
    let address = made(&bob).await;
    let before = balance(&bob).await;
    let paid = bob.post(PAY, &challenge("a", 2_500_000)).await.expect(StatusCode::OK);
    let proof = URL_SAFE_NO_PAD.decode(paid["x_payment"].as_str().unwrap()).unwrap();
    let proof: Value = serde_json::from_slice(&proof).unwrap();
    assert_eq!(
        (&proof["challenge"]["id"], &proof["source"]),
        (&json!("a"), &json!(format!("did:mock:{address}")))
    );
    assert_eq!(bob.post(PAY, &challenge("a", 2_500_000)).await.json(), paid);
    assert!((before - balance(&bob).await - 2.5).abs() < 1e-9);
    let moved = bob.get(&format!("{PATH}/transactions")).await.json();
    assert_eq!(moved.as_array().unwrap().len(), 2);
    assert_eq!((&moved[0]["amount"], &moved[0]["sender_email"]), (&json!(-2.5), &json!(address)));
    assert_eq!((&moved[0]["recipient_email"], &moved[0]["status"]), (&json!("0xb0b"), &json!("completed")));
    let recent = bob.get(&format!("{PATH}/balance")).await.json();
    assert_eq!((&recent["recent_transactions"], &recent["wallet_configured"]), (&moved, &json!(true)));
    for bad in ["Bearer x", "Payment id=x", "Payment id=\"x\", method=m, intent=charge, request=e30"] {
        let body = json!({"www_authenticate": bad, "endpoint_slug": "notes"});
        assert_eq!(bob.post(PAY, &body).await.refused(422)["code"], "INVALID_CHALLENGE", "{bad}");
    }
}

#[tokio::test]
async fn what_one_user_spends_in_a_day_is_limited() {
    let (app, _, bob) = mock().await.with_user("bob").await;
    made(&bob).await;
    bob.post(PAY, &challenge("large", 50_000_001)).await.refused(400);
    bob.post(PAY, &challenge("a", 30_000_000)).await.is(200);
    let refused = bob.post(PAY, &challenge("b", 20_000_001)).await;
    refused.is(429);
    assert!(!refused.header("retry-after").is_empty());
    bob.post(PAY, &challenge("c", 20_000_000)).await.is(200);
    app.clock.advance(Duration::from_hours(24));
    let bob = app.actor_of(&bob_again(&app).await);
    bob.post(PAY, &challenge("b", 20_000_001)).await.is(200);
    let poor = bob.post(PAY, &challenge("d", 29_999_999)).await;
    poor.is(200);
    app.clock.advance(Duration::from_hours(24));
    let bob = app.actor_of(&bob_again(&app).await);
    assert_eq!(bob.post(PAY, &challenge("e", 1_000_000)).await.refused(400)["code"], "INSUFFICIENT_BALANCE");
    // What failed is not counted, and may be tried again.
    assert_eq!(bob.post(PAY, &challenge("e", 1_000_000)).await.refused(400)["code"], "INSUFFICIENT_BALANCE");
}

async fn bob_again(app: &TestApp) -> Value {
    app.anon().login("bob", crate::actor::PASSWORD).await.expect(StatusCode::OK)
}

#[tokio::test]
async fn payments_at_once_pass_neither_the_limit_nor_one_another() {
    let app = TestApp::start_on_postgres().await;
    let app = app.restarted_with(|settings| settings.wallet.provider = WalletProvider::Mock).await;
    let bob = app.user("bob").await;
    let made = futures::future::join_all((0..4).map(|_| made(&bob))).await;
    assert!(made.windows(2).all(|pair| pair[0] == pair[1]), "{made:?}");
    let bodies: Vec<Value> = (0..6).map(|n| challenge(&n.to_string(), 20_000_000)).collect();
    let answers = futures::future::join_all(bodies.iter().map(|body| bob.post(PAY, body))).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 2, "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 429].contains(status)), "{statuses:?}");
    assert!((balance(&bob).await - 60.0).abs() < 1e-9);
    let same = challenge("same", 1_000_000);
    let answers = futures::future::join_all((0..4).map(|_| bob.post(PAY, &same))).await;
    assert!(answers.iter().all(|answer| [200, 409].contains(&answer.status.as_u16())));
    assert!((balance(&bob).await - 59.0).abs() < 1e-9);
}

#[tokio::test]
async fn subscriptions_are_told_again_and_forgotten() {
    let (app, anon, bob) = TestApp::start().await.with_user("bob").await;
    let eve = app.user("eve").await;
    let path = format!("{PATH}/subscriptions");
    anon.get(&path).await.refused(401);
    let body = |owner: &str, url: &str, balance: Value| {
        json!({"credits_url": url, "payment_url": "https://p.org", "endpoint_owner": owner,
            "endpoint_slug": "notes", "last_known_balance": balance})
    };
    let first = bob.post(&path, &body("ada", "https://c.org/1", json!(0))).await.expect(StatusCode::OK);
    assert_eq!((&first["currency"], &first["first_funded_at"]), (&json!("IDR"), &Value::Null));
    let second =
        bob.post(&path, &body("ada", "https://c.org/1", json!("12.3456"))).await.expect(StatusCode::OK);
    assert_eq!((&second["id"], &second["last_known_balance"]), (&first["id"], &json!(12.3456)));
    assert!(second["first_funded_at"].is_string());
    app.clock.advance(Duration::from_secs(1));
    let mut silent = body("ada", "https://c.org/1", Value::Null);
    silent["endpoint_slug"] = Value::Null;
    let third = bob.post(&path, &silent).await.expect(StatusCode::OK);
    assert_eq!(
        (&third["endpoint_slug"], &third["first_funded_at"]),
        (&json!("notes"), &second["first_funded_at"])
    );
    assert_ne!(third["last_checked_at"], second["last_checked_at"]);
    bob.post(&path, &body("ada", "https://c.org/2", json!(1))).await.is(200);
    bob.post(&path, &body("carl", "https://c.org/3", json!(1))).await.is(200);
    let listed = bob.get(&path).await.json();
    assert_eq!(
        crate::shorthand::each(&listed["subscriptions"], "credits_url"),
        ["https://c.org/3", "https://c.org/2"]
    );
    assert_eq!(eve.get(&path).await.json(), json!({"subscriptions": []}));

    let bad = json!({"credits_url": "x", "payment_url": "", "currency": "MUCHTOOLONG", "endpoint_owner": "",
        "endpoint_slug": "x".repeat(256), "last_known_balance": -1});
    let all =
        ["credits_url", "payment_url", "currency", "endpoint_owner", "endpoint_slug", "last_known_balance"];
    let refused = bob.post(&path, &bad).await.refused_fields();
    assert!(all.iter().all(|field| refused.iter().any(|name| name == field)), "{refused:?}");

    let one = format!("{path}/{}", listed["subscriptions"][0]["id"]);
    eve.delete(&one).await.refused(404);
    bob.delete(&one).await.is(204);
    bob.delete(&one).await.refused(404);
    bob.delete(&format!("{path}/abc")).await.refused(422);
    bob.delete(&format!("{path}/by-owner/ada")).await.is(204);
    bob.delete(&format!("{path}/by-owner/ada")).await.refused(404);
    assert_eq!(bob.get(&path).await.json(), json!({"subscriptions": []}));
}
