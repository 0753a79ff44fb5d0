//! Signing in, agreeing, exchanging: the methods of `oauth.v1`.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use syfthub_auth::keys::SigningKey;
use syfthub_config::Rule;
use syfthub_domain::ErrorCode;
use syfthub_proto::oauth::{
    AddFirstSigningKeyRequest, ApproveRequest, BeginGrantRequest, Client as WireClient, ClientKind,
    ConfirmEmailRequest, DeleteClientRequest, FindConsentRequest, GetBrowserSessionRequest, GetClientRequest,
    ListClientsRequest, ListSigningKeysRequest, Outcome, RedeemCodeRequest, RegisterClientRequest,
    ResendCodeRequest, RevokeGrantRequest, RotateRefreshTokenRequest, SignInOptionsRequest,
    SigningKey as WireKey, UpdateClientRequest, revoke_grant_request::What,
};
use syfthub_rpc::{Caller, stubs};

use super::{
    MCP, audited, client, code, consent, credentials, exchange, granted, hash, is_live, redeem, rotate,
    rotation, sign_in,
};
use crate::actor::{PASSWORD, TestApp};

#[tokio::test]
async fn signing_in_begins_a_browser_session_of_the_hub() {
    let (app, anon, bob) = TestApp::start().await.with_user("bob").await;
    let mut server = client(&app);
    let signed_in = server.sign_in(credentials("BOB@example.com", PASSWORD)).await.unwrap().into_inner();
    let pair = format!("syfthub_session={}", signed_in.session);
    assert!(signed_in.set_cookie.starts_with(&format!("{pair}; Path=/;")), "{}", signed_in.set_cookie);
    assert!(signed_in.set_cookie.contains("HttpOnly; SameSite=Lax"));
    let me = anon.get_with("/api/v1/auth/me", "cookie", &pair).await.expect(StatusCode::OK);
    assert_eq!(me["username"], "bob");
    let sessions = bob.get("/api/v1/auth/sessions").await.json();
    let browser = sessions.as_array().unwrap().iter().find(|session| session["kind"] == "browser").unwrap();
    assert_eq!((&browser["device"], &browser["address"]), (&json!("Browser/1.0"), &json!("203.0.113.7")));

    let ask = |session: &str| GetBrowserSessionRequest { session: session.to_owned() };
    let who = server.get_browser_session(ask(&signed_in.session)).await.unwrap().into_inner();
    assert_eq!((who.principal.unwrap().user_id, who.signed_in_at), (bob.id, 1_800_000_000));
    for bad in ["", "syft_ses_x", bob.token.as_deref().unwrap()] {
        let refused = server.get_browser_session(ask(bad)).await.unwrap_err();
        assert_eq!(code(&refused), ErrorCode::Unauthenticated);
    }
}

#[tokio::test]
async fn guessers_meet_the_limits_of_the_hub() {
    let app = TestApp::start_with(|settings| settings.rate_limits.auth = Rule::per_seconds(3, 60)).await;
    app.user("bob").await;
    let mut server = client(&app);
    for _ in 0..3 {
        let refused = server.sign_in(credentials("bob", "wrong 1")).await.unwrap_err();
        assert_eq!(code(&refused), ErrorCode::Unauthenticated);
    }
    let refused = server.sign_in(credentials("bob", PASSWORD)).await.unwrap_err();
    let error = syfthub_rpc::status::from_status(&refused);
    assert_eq!(error.code, ErrorCode::RateLimited);
    assert!(error.retry_after.is_some());
    let mut elsewhere = credentials("bob", PASSWORD);
    elsewhere.address = "198.51.100.1".to_owned();
    server.sign_in(elsewhere).await.unwrap();
    let mut nowhere = credentials("bob", PASSWORD);
    nowhere.address = "here".to_owned();
    assert_eq!(code(&server.sign_in(nowhere).await.unwrap_err()), ErrorCode::BadRequest);
}

#[tokio::test]
async fn a_mail_address_is_confirmed_on_the_way() {
    let app = TestApp::start_with_mail().await;
    let body =
        json!({"username": "bob", "email": "bob@example.com", "full_name": "Bob", "password": PASSWORD});
    app.anon().post("/api/v1/auth/register", &body).await.expect(StatusCode::CREATED);
    let mut server = client(&app);
    let refused = server.sign_in(credentials("bob", PASSWORD)).await.unwrap_err();
    assert_eq!(code(&refused), ErrorCode::EmailNotVerified);
    let resend = ResendCodeRequest { email: "bob@example.com".to_owned(), address: "203.0.113.7".to_owned() };
    server.resend_code(resend).await.unwrap();
    let letter = app.mail_to("bob@example.com", 2).await;
    let digits = letter.text.split(|char: char| !char.is_ascii_digit()).find(|part| part.len() == 6).unwrap();
    let confirm = |code: &str| ConfirmEmailRequest {
        email: "bob@example.com".to_owned(),
        code: code.to_owned(),
        address: "203.0.113.7".to_owned(),
        user_agent: String::new(),
    };
    for wrong in ["000000", "x"] {
        assert_eq!(code(&server.confirm_email(confirm(wrong)).await.unwrap_err()), ErrorCode::InvalidOtp);
    }
    let session = server.confirm_email(confirm(digits)).await.unwrap().into_inner().session;
    let who = server.get_browser_session(GetBrowserSessionRequest { session }).await.unwrap().into_inner();
    assert!(who.email_verified);
    let options = server.sign_in_options(SignInOptionsRequest {}).await.unwrap().into_inner();
    assert_eq!(
        (options.github, options.registration_open, options.google_client_id.as_str()),
        (false, true, "")
    );
}

#[tokio::test]
async fn a_consent_becomes_a_grant_and_a_grant_is_refreshed() {
    from_consent_to_reuse(TestApp::start().await).await;
}

#[tokio::test]
async fn the_same_on_postgres() {
    from_consent_to_reuse(TestApp::start_on_postgres().await).await;
}

async fn from_consent_to_reuse(app: TestApp) {
    let (app, _, bob) = app.with_user("bob").await;
    let mut server = client(&app);
    let session = sign_in(&mut server, "bob").await;
    let remembered = ApproveRequest { remember: true, ..consent(&session, "one") };
    let grant_id = server.approve(remembered.clone()).await.unwrap().into_inner().grant_id;
    let again = ApproveRequest { code_hash: hash("other"), ..remembered };
    assert_eq!(code(&server.approve(again).await.unwrap_err()), ErrorCode::Conflict);
    let find = |resource: &str| FindConsentRequest {
        user_id: bob.id,
        client_id: "https://client.example/metadata".to_owned(),
        resource: resource.to_owned(),
    };
    let found = server.find_consent(find(MCP)).await.unwrap().into_inner().scopes;
    assert_eq!(found, ["openid", "read"]);
    assert!(server.find_consent(find("other")).await.unwrap().into_inner().scopes.is_empty());

    let wrong = RedeemCodeRequest { code_challenge: "x".to_owned(), ..exchange("one", "r0") };
    assert_eq!(redeem(&mut server, wrong).await.outcome(), Outcome::Mismatch);
    let issued = redeem(&mut server, exchange("one", "r0")).await;
    assert_eq!((issued.outcome(), issued.nonce.as_str()), (Outcome::Issued, "nonce"));
    let grant = issued.grant.unwrap();
    let principal = grant.principal.as_ref().unwrap();
    assert_eq!((grant.id.as_str(), grant.auth_time), (grant_id.as_str(), 1_800_000_000));
    assert_eq!((principal.username.as_str(), principal.scopes.as_slice()), ("bob", &["read".to_owned()][..]));
    assert_eq!(issued.scopes, ["openid", "read"]);

    assert_eq!(rotate(&mut server, rotation("r0", "r1")).await, Outcome::Issued);
    assert_eq!(rotate(&mut server, rotation("r0", "r1")).await, Outcome::Issued, "within the window");
    let more = RotateRefreshTokenRequest { scopes: vec!["write".to_owned()], ..rotation("r1", "r2") };
    assert_eq!(rotate(&mut server, more).await, Outcome::ScopeExceeded);
    app.clock.advance(Duration::from_secs(31));
    assert_eq!(rotate(&mut server, rotation("r0", "r1")).await, Outcome::Reused);
    assert_eq!(rotate(&mut server, rotation("r1", "r2")).await, Outcome::Revoked);
    assert!(!is_live(&mut server, &grant_id).await);
    let admin = app.admin().await;
    let created = ("grant.created".to_owned(), json!(null));
    let revoked = |reason: &str| ("grant.revoked".to_owned(), json!(reason));
    assert_eq!(audited(&admin, "grant").await, [created.clone(), revoked("refresh_token_reused")]);
    let log = admin.get("/api/v1/admin/audit?action=grant.created").await.text;
    assert!(log.contains("203.0.113.9") && log.contains("\"bob\""), "{log}");

    server.approve(consent(&session, "two")).await.unwrap();
    assert_eq!(redeem(&mut server, exchange("two", "s0")).await.outcome(), Outcome::Issued);
    assert_eq!(redeem(&mut server, exchange("two", "s0")).await.outcome(), Outcome::Reused);
    assert_eq!(redeem(&mut server, exchange("two", "s0")).await.outcome(), Outcome::Reused);
    assert_eq!(audited(&admin, "grant").await[2..], [created, revoked("code_reused")], "written once");
    app.app.flush_activity().await;
    let activity = bob.get("/api/v1/auth/activity").await.text;
    assert!(activity.contains("token.refreshed") && activity.contains("token.reused"), "{activity}");
}

#[tokio::test]
async fn only_a_browser_agrees_and_nobody_to_everything_on_mcp() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let mut server = client(&app);
    for session in [bob.token.as_deref().unwrap(), "syft_ses_x"] {
        let refused = server.approve(consent(session, "a")).await.unwrap_err();
        assert!([ErrorCode::Unauthenticated, ErrorCode::BadRequest].contains(&code(&refused)));
    }
    let session = sign_in(&mut server, "bob").await;
    let full = ApproveRequest { scopes: vec!["full".to_owned()], ..consent(&session, "a") };
    assert_eq!(code(&server.approve(full).await.unwrap_err()), ErrorCode::BadRequest);
    for wrong in [
        ApproveRequest { code_hash: vec![1], ..consent(&session, "a") },
        ApproveRequest { scopes: vec![], ..consent(&session, "a") },
        ApproveRequest { scopes: vec!["a b".to_owned()], ..consent(&session, "a") },
        ApproveRequest { client_id: String::new(), ..consent(&session, "a") },
        ApproveRequest { redirect_uri: "x".repeat(3000), ..consent(&session, "a") },
        ApproveRequest { nonce: "a\0".to_owned(), ..consent(&session, "a") },
    ] {
        assert_eq!(code(&server.approve(wrong).await.unwrap_err()), ErrorCode::BadRequest);
    }
    server.approve(consent(&session, "a")).await.unwrap();
}

#[tokio::test]
async fn a_client_ends_its_own_grants_only() {
    let (app, _, _bob) = TestApp::start().await.with_user("bob").await;
    let mut server = client(&app);
    let grant = granted(&mut server, "bob", "a", |_| {}).await;
    let revoke =
        |what, client_id: &str| RevokeGrantRequest { what: Some(what), client_id: client_id.to_owned() };
    server.revoke_grant(revoke(What::GrantId(grant.id.clone()), "other")).await.unwrap();
    server.revoke_grant(revoke(What::RefreshTokenHash(hash("unknown")), "")).await.unwrap();
    assert!(is_live(&mut server, &grant.id).await);
    server.revoke_grant(revoke(What::RefreshTokenHash(hash("a-0")), &grant.client_id)).await.unwrap();
    assert!(!is_live(&mut server, &grant.id).await);
    let other = granted(&mut server, "bob", "b", |_| {}).await;
    server.revoke_grant(revoke(What::GrantId(other.id.clone()), "")).await.unwrap();
    assert!(!is_live(&mut server, &other.id).await);
    assert_eq!(
        code(&server.revoke_grant(RevokeGrantRequest::default()).await.unwrap_err()),
        ErrorCode::BadRequest
    );
}

#[tokio::test]
async fn clients_register_and_operators_manage_them() {
    let (app, _, _bob) = TestApp::start().await.with_user("bob").await;
    let mut server = client(&app);
    let new = |id: &str, kind: ClientKind| RegisterClientRequest {
        client: Some(WireClient {
            client_id: id.to_owned(),
            kind: kind.into(),
            metadata_json: json!({"client_name": "A client"}).to_string(),
            secret_hash: hash("secret"),
            ..WireClient::default()
        }),
    };
    let made =
        server.register_client(new("c", ClientKind::Registered)).await.unwrap().into_inner().client.unwrap();
    assert_eq!(made.expires_at - made.created_at, 90 * 24 * 3600);
    let taken = server.register_client(new("c", ClientKind::Registered)).await.unwrap_err();
    assert_eq!(code(&taken), ErrorCode::Conflict);
    let mut operator = stubs::oauth_client(app.peer(Caller::Cli));
    operator.register_client(new("fixed", ClientKind::Static)).await.unwrap();
    let refused = operator.get_client(GetClientRequest { client_id: "c".to_owned() }).await.unwrap_err();
    assert_eq!(code(&refused), ErrorCode::PermissionDenied);
    let listed = operator.list_clients(ListClientsRequest { limit: 10, after: String::new() }).await.unwrap();
    assert_eq!(listed.into_inner().clients.len(), 2);

    let update = UpdateClientRequest {
        client_id: "c".to_owned(),
        metadata_json: json!({"client_name": "Another"}).to_string(),
        secret_hash: vec![],
    };
    server.update_client(update.clone()).await.unwrap();
    let found = server.get_client(GetClientRequest { client_id: "c".to_owned() }).await.unwrap().into_inner();
    let found = found.client.unwrap();
    assert!(found.metadata_json.contains("Another") && found.secret_hash == hash("secret"));
    let broken = UpdateClientRequest { metadata_json: "[]".to_owned(), ..update.clone() };
    assert_eq!(code(&server.update_client(broken).await.unwrap_err()), ErrorCode::BadRequest);

    let session = sign_in(&mut server, "bob").await;
    let grant = ApproveRequest { client_id: "c".to_owned(), ..consent(&session, "a") };
    let id = server.approve(grant).await.unwrap().into_inner().grant_id;
    operator.delete_client(DeleteClientRequest { client_id: "c".to_owned() }).await.unwrap();
    assert!(!is_live(&mut server, &id).await);
    for gone in [
        server.get_client(GetClientRequest { client_id: "c".to_owned() }).await.map(drop),
        server.update_client(update).await.map(drop),
        operator.delete_client(DeleteClientRequest { client_id: "c".to_owned() }).await.map(drop),
    ] {
        assert_eq!(code(&gone.unwrap_err()), ErrorCode::NotFound);
    }
    let admin = app.admin().await;
    let actions: Vec<_> =
        audited(&admin, "oauth_client").await.into_iter().map(|(action, _)| action).collect();
    assert_eq!(
        actions,
        ["oauth_client.created", "oauth_client.created", "oauth_client.updated", "oauth_client.deleted"]
    );
}

#[tokio::test]
async fn a_grant_begins_without_a_code_within_what_the_credential_may() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let mut server = client(&app);
    let begin = |credential: &str, scopes: &[&str]| BeginGrantRequest {
        client_id: "service".to_owned(),
        client_name: "A service".to_owned(),
        resource: MCP.to_owned(),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        credential: credential.to_owned(),
        dpop_jkt: String::new(),
    };
    let reader = bob.pat(&["read"]).await.token.unwrap();
    let issued = server.begin_grant(begin(&reader, &["openid", "read"])).await.unwrap().into_inner();
    assert_eq!(issued.outcome(), Outcome::Issued);
    assert_eq!(issued.grant.unwrap().principal.unwrap().username, "bob");
    let more = server.begin_grant(begin(&reader, &["write"])).await.unwrap().into_inner();
    assert_eq!(more.outcome(), Outcome::ScopeExceeded);
    let machine = server.begin_grant(begin("", &["read"])).await.unwrap_err();
    assert_eq!(code(&machine), ErrorCode::PermissionDenied, "it has no account to act as");
    let refused = server.begin_grant(begin("junk", &["read"])).await.unwrap_err();
    assert_eq!(code(&refused), ErrorCode::Unauthenticated);
}

#[tokio::test]
async fn replicas_end_with_the_same_key() {
    let app = TestApp::start().await;
    let mut server = client(&app);
    let key = |seed: &SigningKey| AddFirstSigningKeyRequest {
        key: Some(WireKey {
            kid: seed.kid().to_owned(),
            private_sealed: vec![1, 2, 3],
            public_pem: seed.public().to_pem().unwrap(),
            ..WireKey::default()
        }),
    };
    let (first, second) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    assert!(server.list_signing_keys(ListSigningKeysRequest {}).await.unwrap().into_inner().keys.is_empty());
    for seed in [&first, &second] {
        let keys = server.add_first_signing_key(key(seed)).await.unwrap().into_inner().keys;
        assert_eq!((keys.len(), keys[0].kid.as_str(), keys[0].activated_at), (1, first.kid(), 1_800_000_000));
        assert_eq!(keys[0].private_sealed, [1, 2, 3]);
    }
    let mut wrong = key(&second);
    wrong.key.as_mut().unwrap().kid = first.kid().to_owned();
    assert_eq!(code(&server.add_first_signing_key(wrong).await.unwrap_err()), ErrorCode::BadRequest);
}
