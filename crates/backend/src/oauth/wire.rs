//! What the MCP service and users are told.

use serde::Serialize;
use syfthub_domain::{Error, Result, Timestamp};
use syfthub_proto::oauth;
use syfthub_store::keys::SigningKeyRow;
use syfthub_store::oauth::clients::ClientRow;
use syfthub_store::oauth::grants::GrantRow;
use syfthub_store::oauth::{Exchange, Issued};
use syfthub_store::users::UserRow;
use utoipa::ToSchema;

use crate::access::grants::GrantCredentials;
use crate::identity::grpc::to_wire;

/// A moment that may be missing, as seconds.
fn seconds(moment: Option<Timestamp>) -> i64 {
    moment.map(Timestamp::as_secs).unwrap_or_default()
}

/// Seconds that may be 0 for none.
fn moment(seconds: i64) -> Option<Timestamp> {
    (seconds > 0).then(|| Timestamp::from_secs(seconds))
}

/// A stored client.
pub(super) fn client(row: ClientRow) -> Result<oauth::Client> {
    let bytes = |hash: Option<String>| hex::decode(hash.unwrap_or_default()).map_err(Error::internal);
    let kind = match row.kind.as_str() {
        "static" => oauth::ClientKind::Static,
        _ => oauth::ClientKind::Registered,
    };
    Ok(oauth::Client {
        client_id: row.client_id,
        kind: kind.into(),
        metadata_json: row.metadata.to_string(),
        secret_hash: bytes(row.secret_hash)?,
        registration_token_hash: bytes(row.registration_token_hash)?,
        created_at: row.created_at.as_secs(),
        expires_at: seconds(row.expires_at),
    })
}

/// A grant and its user.
pub(super) fn grant(rules: &GrantCredentials, row: GrantRow, user: Option<UserRow>) -> oauth::Grant {
    oauth::Grant {
        email_verified: user.as_ref().is_some_and(|user| user.is_email_verified),
        principal: user.map(|user| to_wire(rules.principal(&row, user))),
        id: row.id,
        client_id: row.client_id,
        client_name: row.client_name,
        resource: row.resource,
        scopes: row.scopes,
        auth_time: seconds(row.auth_time),
        dpop_jkt: row.dpop_jkt.unwrap_or_default(),
        created_at: row.created_at.as_secs(),
        expires_at: row.expires_at.as_secs(),
    }
}

/// What became of an exchange.
pub(super) fn issue(rules: &GrantCredentials, exchange: Exchange) -> oauth::IssueResponse {
    let only =
        |outcome: oauth::Outcome| oauth::IssueResponse { outcome: outcome.into(), ..Default::default() };
    match exchange {
        Exchange::Issued(issued) => {
            let Issued { grant: row, user, scopes, nonce } = *issued;
            oauth::IssueResponse {
                outcome: oauth::Outcome::Issued.into(),
                grant: Some(grant(rules, row, user)),
                scopes,
                nonce: nonce.unwrap_or_default(),
            }
        }
        Exchange::Unknown => only(oauth::Outcome::Unknown),
        Exchange::Expired => only(oauth::Outcome::Expired),
        Exchange::Reused(_) => only(oauth::Outcome::Reused),
        Exchange::Mismatch => only(oauth::Outcome::Mismatch),
        Exchange::Revoked => only(oauth::Outcome::Revoked),
        Exchange::ScopeExceeded => only(oauth::Outcome::ScopeExceeded),
    }
}

/// A key.
pub(super) fn key(row: SigningKeyRow) -> oauth::SigningKey {
    oauth::SigningKey {
        kid: row.kid,
        private_sealed: row.private_sealed,
        public_pem: row.public_pem,
        created_at: row.created_at.as_secs(),
        activated_at: seconds(row.activated_at),
        retired_at: seconds(row.retired_at),
        expires_at: seconds(row.expires_at),
    }
}

/// A key to be stored.
pub(super) fn key_row(key: oauth::SigningKey, now: Timestamp) -> SigningKeyRow {
    SigningKeyRow {
        kid: key.kid,
        purpose: String::new(),
        private_sealed: key.private_sealed,
        public_pem: key.public_pem,
        created_at: now,
        activated_at: moment(key.activated_at),
        retired_at: None,
        expires_at: None,
    }
}

/// What a user agreed to.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct GrantView {
    /// For ending it.
    #[schema(example = "01980a3e-5d0c-7c52-b7a1-5f6f3f0f9f10")]
    pub id: String,
    /// What the client calls itself.
    #[schema(example = "An IDE")]
    pub client_name: String,
    /// Id of the client; an address for one that describes itself by a document there.
    #[schema(example = "https://client.example/oauth/metadata.json")]
    pub client_id: String,
    /// What the client may reach: the MCP server or the API of the hub.
    #[schema(example = "https://hub.example/mcp")]
    pub resource: String,
    /// What it may do there.
    #[schema(example = json!(["openid", "read"]))]
    pub scopes: Vec<String>,
    /// Whether it was given to a device, by a code that was typed.
    pub device: bool,
    /// When the user agreed.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Its last use, recorded once a minute.
    #[schema(value_type = String, format = DateTime)]
    pub last_used_at: Timestamp,
    /// When it ends unless it is used before.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

impl From<(GrantRow, bool)> for GrantView {
    fn from((row, device): (GrantRow, bool)) -> Self {
        Self {
            device,
            id: row.id,
            client_name: row.client_name,
            client_id: row.client_id,
            resource: row.resource,
            scopes: row.scopes,
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            expires_at: row.expires_at,
        }
    }
}

/// How many grants were ended.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(super) struct EndedGrants {
    /// Their number.
    #[schema(minimum = 0)]
    pub ended: u64,
}
