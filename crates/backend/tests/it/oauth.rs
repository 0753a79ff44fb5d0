//! The state of the authorization server, as the MCP service uses it.

mod clients;
mod credentials;
mod devices;
mod keys;
mod own;
mod server;
mod service_clients;

use serde_json::{Value, json};
use syfthub_domain::{Error, ErrorCode};
use syfthub_proto::oauth::o_auth_service_client::OAuthServiceClient;
use syfthub_proto::oauth::{
    ApproveRequest, GetGrantRequest, Grant, IssueResponse, Outcome, RedeemCodeRequest,
    RotateRefreshTokenRequest, SignInRequest,
};
use syfthub_rpc::status::from_status;
use syfthub_rpc::{Caller, Peer, stubs};
use tonic::Status;

use crate::actor::{Actor, PASSWORD, TestApp};

pub(crate) type Client = OAuthServiceClient<Peer>;

const MCP: &str = "http://localhost:8080/mcp";

pub(crate) fn client(app: &TestApp) -> Client {
    stubs::oauth_client(app.peer(Caller::Mcp))
}

fn code(status: &Status) -> ErrorCode {
    let error: Error = from_status(status);
    error.code
}

/// The value of a new session cookie of a user.
async fn sign_in(client: &mut Client, name: &str) -> String {
    client.sign_in(credentials(name, PASSWORD)).await.unwrap().into_inner().session
}

fn credentials(name: &str, password: &str) -> SignInRequest {
    SignInRequest {
        identifier: name.to_owned(),
        password: password.to_owned(),
        address: "203.0.113.7".to_owned(),
        user_agent: "Browser/1.0".to_owned(),
    }
}

/// What a user agrees to; everything is named after `name`.
fn consent(session: &str, name: &str) -> ApproveRequest {
    ApproveRequest {
        session: session.to_owned(),
        request_id: format!("request-{name}"),
        client_id: "https://client.example/metadata".to_owned(),
        client_name: "A client".to_owned(),
        redirect_uri: "http://127.0.0.1:7777/callback".to_owned(),
        resource: MCP.to_owned(),
        scopes: vec!["openid".to_owned(), "read".to_owned()],
        code_hash: hash(name),
        code_challenge: "challenge".to_owned(),
        nonce: "nonce".to_owned(),
        dpop_jkt: String::new(),
        code_ttl_seconds: 60,
        remember: false,
        address: "203.0.113.9".to_owned(),
    }
}

fn hash(name: &str) -> Vec<u8> {
    let mut bytes = vec![0; 32];
    for (byte, char) in bytes.iter_mut().zip(name.bytes()) {
        *byte = char;
    }
    bytes
}

/// The code of a consent with a refresh token called `refresh`.
fn exchange(name: &str, refresh: &str) -> RedeemCodeRequest {
    RedeemCodeRequest {
        code_hash: hash(name),
        client_id: "https://client.example/metadata".to_owned(),
        redirect_uri: "http://127.0.0.1:7777/callback".to_owned(),
        code_challenge: "challenge".to_owned(),
        resource: MCP.to_owned(),
        dpop_jkt: String::new(),
        refresh_token_hash: hash(refresh),
        refresh_ttl_seconds: 30 * 24 * 3600,
        any_key_later: false,
    }
}

fn rotation(token: &str, next: &str) -> RotateRefreshTokenRequest {
    RotateRefreshTokenRequest {
        token_hash: hash(token),
        next_hash: hash(next),
        refresh_ttl_seconds: 30 * 24 * 3600,
        client_id: "https://client.example/metadata".to_owned(),
        ..RotateRefreshTokenRequest::default()
    }
}

async fn redeem(client: &mut Client, request: RedeemCodeRequest) -> IssueResponse {
    client.redeem_code(request).await.unwrap().into_inner()
}

async fn rotate(client: &mut Client, request: RotateRefreshTokenRequest) -> Outcome {
    client.rotate_refresh_token(request).await.unwrap().into_inner().outcome()
}

/// A grant of the user with the refresh token `{name}-0`.
pub(crate) async fn granted(
    client: &mut Client,
    user: &str,
    name: &str,
    change: impl FnOnce(&mut ApproveRequest),
) -> Grant {
    let session = sign_in(client, user).await;
    let mut consent = consent(&session, name);
    change(&mut consent);
    let resource = consent.resource.clone();
    client.approve(consent).await.unwrap();
    let exchange = RedeemCodeRequest { resource, ..exchange(name, &format!("{name}-0")) };
    redeem(client, exchange).await.grant.unwrap()
}

async fn is_live(client: &mut Client, grant: &str) -> bool {
    match client.get_grant(GetGrantRequest { grant_id: grant.to_owned() }).await {
        Ok(_) => true,
        Err(status) => {
            assert_eq!(code(&status), ErrorCode::NotFound);
            false
        }
    }
}

/// Actions and reasons in the audit log about a kind of thing, oldest first.
async fn audited(admin: &Actor, kind: &str) -> Vec<(String, Value)> {
    let log = admin.get(&format!("/api/v1/admin/audit?target_kind={kind}&limit=50")).await.json();
    let entries =
        log["entries"].as_array().or_else(|| log["items"].as_array()).unwrap_or_else(|| panic!("{log}"));
    let mut found: Vec<_> = entries
        .iter()
        .map(|entry| {
            let reason = entry["after"].get("reason").cloned().unwrap_or(json!(null));
            (entry["action"].as_str().unwrap().to_owned(), reason)
        })
        .collect();
    found.reverse();
    found
}
