//! Devices without a browser (RFC 8628), and what is known of their refresh tokens.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use syfthub_domain::ErrorCode;
use syfthub_proto::oauth::{
    BeginDeviceRequest, DecideDeviceRequest, DeviceState, FindDeviceRequest, FindRefreshTokenRequest,
    PollDeviceRequest,
};

use super::{MCP, client, code, hash, is_live, sign_in};
use crate::actor::TestApp;

/// What a television asks for.
fn begin(name: &str) -> BeginDeviceRequest {
    BeginDeviceRequest {
        device_code_hash: hash(name),
        user_code: name.to_uppercase(),
        client_id: "tv".to_owned(),
        client_name: "A television".to_owned(),
        resource: MCP.to_owned(),
        scopes: vec!["read".to_owned()],
        ttl_seconds: 600,
        interval_seconds: 5,
        dpop_jkt: String::new(),
    }
}

/// The question what became of it.
fn poll(name: &str) -> PollDeviceRequest {
    PollDeviceRequest {
        device_code_hash: hash(name),
        client_id: "tv".to_owned(),
        refresh_token_hash: hash("t0"),
        refresh_ttl_seconds: 3600,
        ..PollDeviceRequest::default()
    }
}

// Covers: RFC8628-3.2-unique, RFC8628-3.4-once, RFC8628-3.5-slow-down, RFC8628-3.5-denied, RFC8628-3.3-expired
#[tokio::test]
async fn a_device_is_let_in_by_its_user() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let mut server = client(&app);
    server.begin_device(begin("abcd")).await.unwrap();
    server.begin_device(begin("efgh")).await.unwrap();
    let taken = BeginDeviceRequest { device_code_hash: hash("x"), ..begin("abcd") };
    assert_eq!(code(&server.begin_device(taken).await.unwrap_err()), ErrorCode::Conflict);
    for (seconds, state) in [
        (0, DeviceState::Pending),
        (3, DeviceState::SlowDown),
        // Ten seconds from now on.
        (7, DeviceState::SlowDown),
        (15, DeviceState::Pending),
    ] {
        app.clock.advance(Duration::from_secs(seconds));
        let told = server.poll_device(poll("abcd")).await.unwrap().into_inner();
        assert_eq!(told.state(), state, "{seconds} seconds later");
    }
    let found =
        server.find_device(FindDeviceRequest { user_code: "ABCD".to_owned() }).await.unwrap().into_inner();
    assert_eq!((found.client_name.as_str(), found.scopes), ("A television", vec!["read".to_owned()]));
    let session = sign_in(&mut server, "bob").await;
    let decide = |code: &str, approve| DecideDeviceRequest {
        session: session.clone(),
        user_code: code.to_owned(),
        approve,
        address: String::new(),
    };
    let nobody = DecideDeviceRequest { session: "x".to_owned(), ..decide("ABCD", true) };
    assert_eq!(code(&server.decide_device(nobody).await.unwrap_err()), ErrorCode::Unauthenticated);
    server.decide_device(decide("ABCD", true)).await.unwrap();
    server.decide_device(decide("EFGH", false)).await.unwrap();
    assert_eq!(code(&server.decide_device(decide("ABCD", true)).await.unwrap_err()), ErrorCode::NotFound);
    let told = server.poll_device(poll("abcd")).await.unwrap().into_inner();
    assert_eq!(told.state(), DeviceState::Approved);
    let grant = told.grant.unwrap();
    assert_eq!(grant.principal.unwrap().username, "bob");
    assert!(is_live(&mut server, &grant.id).await);
    assert_eq!(server.poll_device(poll("abcd")).await.unwrap().into_inner().state(), DeviceState::Unknown);
    assert_eq!(server.poll_device(poll("efgh")).await.unwrap().into_inner().state(), DeviceState::Denied);
    let list = bob.get("/api/v1/auth/grants").await.expect(StatusCode::OK);
    assert_eq!((&list[0]["device"], &list[0]["client_name"]), (&json!(true), &json!("A television")));

    let ask = |token: &str, client: &str| FindRefreshTokenRequest {
        token_hash: hash(token),
        client_id: client.to_owned(),
    };
    let open = server.find_refresh_token(ask("t0", "tv")).await.unwrap().into_inner();
    assert_eq!((open.grant.unwrap().id, open.expires_at - open.created_at), (grant.id, 3600));
    for (token, client) in [("t0", "radio"), ("t1", "tv")] {
        let refused = server.find_refresh_token(ask(token, client)).await.unwrap_err();
        assert_eq!(code(&refused), ErrorCode::NotFound);
    }
    bob.delete("/api/v1/auth/grants").await.expect(StatusCode::OK);
    let refused = server.find_refresh_token(ask("t0", "tv")).await.unwrap_err();
    assert_eq!(code(&refused), ErrorCode::NotFound, "revoked");

    server.begin_device(begin("late")).await.unwrap();
    app.clock.advance(Duration::from_mins(10));
    assert_eq!(server.poll_device(poll("late")).await.unwrap().into_inner().state(), DeviceState::Expired);
    assert_eq!(code(&server.decide_device(decide("LATE", true)).await.unwrap_err()), ErrorCode::NotFound);
}
