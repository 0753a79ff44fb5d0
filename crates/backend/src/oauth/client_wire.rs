//! The JSON of OAuth clients, for operators.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use syfthub_domain::Timestamp;
use syfthub_store::oauth::clients::ClientRow;
use utoipa::ToSchema;

/// An OAuth client that the hub keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ClientView {
    /// What it calls itself towards the authorization server.
    #[schema(example = "nightly-report")]
    pub client_id: String,
    /// Its secret. Only in the answer that makes it; nobody can read it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "syft_cs_3fQ9xL0…")]
    pub client_secret: Option<String>,
    /// `static`, made by an operator, or `registered`, by the client itself.
    #[schema(example = "static")]
    pub kind: String,
    /// Its name for people.
    #[schema(example = "Nightly report")]
    pub client_name: Option<String>,
    /// Where browsers may be sent back to.
    #[schema(example = json!(["https://app.example.org/callback"]))]
    pub redirect_uris: Vec<String>,
    /// What it may exchange for tokens.
    #[schema(example = json!(["client_credentials"]))]
    pub grant_types: Vec<String>,
    /// How it proves who it is.
    #[schema(example = "client_secret_basic")]
    pub token_endpoint_auth_method: String,
    /// The scopes that it may have by itself, or asks for when a request names none.
    #[schema(example = "read")]
    pub scope: Option<String>,
    /// The account that it acts as with its own credentials.
    #[schema(example = "reports")]
    pub acts_as: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it or its secret was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// Its last use, recorded once a day.
    #[schema(value_type = String, format = DateTime)]
    pub last_used_at: Timestamp,
    /// When it ends unless it is used before. Clients of the operator do not end.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
}

impl From<ClientRow> for ClientView {
    fn from(row: ClientRow) -> Self {
        let text = |key: &str| row.metadata.get(key).and_then(Value::as_str).map(str::to_owned);
        let list = |key: &str| {
            let list = row.metadata.get(key).and_then(Value::as_array);
            list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        Self {
            client_secret: None,
            client_name: text("client_name"),
            redirect_uris: list("redirect_uris"),
            grant_types: list("grant_types"),
            token_endpoint_auth_method: text("token_endpoint_auth_method").unwrap_or_default(),
            scope: text("scope"),
            client_id: row.client_id,
            kind: row.kind,
            acts_as: row.acts_as,
            created_at: row.created_at,
            updated_at: row.updated_at,
            last_used_at: row.last_used_at,
            expires_at: row.expires_at,
        }
    }
}

/// Some of the clients.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct ClientList {
    /// Newest first.
    pub clients: Vec<ClientView>,
    /// What to send as `after` for the next ones; nothing when there are no more.
    pub next: Option<String>,
}

/// A client to be made. It needs `redirect_uris`, `acts_as`, or a grant type that needs neither.
#[derive(Debug, ToSchema)]
#[schema(example = json!({"client_name": "Nightly report", "acts_as": "reports", "scope": "read"}))]
#[expect(dead_code, reason = "describes the body, which is read field by field")]
pub(super) struct NewClientBody {
    /// Its id, unique at this hub; a random one if not given. Ids that begin with `syfthub-` belong to the hub itself.
    #[schema(min_length = 3, max_length = 100, pattern = "^[A-Za-z0-9][A-Za-z0-9._~-]*$")]
    client_id: Option<String>,
    /// Its name, as people are shown it; one line.
    #[schema(min_length = 1, max_length = 100)]
    client_name: String,
    /// Where browsers may be sent back to: https, http on the own machine, or a private scheme.
    #[schema(max_items = 20)]
    redirect_uris: Option<Vec<String>>,
    /// What it may exchange for tokens. If not given: a code and refresh tokens when it has redirect URIs, its own
    /// credentials when it acts as an account.
    #[schema(min_items = 1, max_items = 10)]
    grant_types: Option<Vec<GrantType>>,
    /// How it proves who it is; a secret in a header or in the body if not given.
    token_endpoint_auth_method: Option<AuthMethod>,
    /// Scopes, with a space between them. By its own credentials it gets at most these, and `read` if none are given.
    #[schema(min_length = 1, max_length = 200, pattern = "^[a-z_]+( [a-z_]+)*$")]
    scope: Option<String>,
    /// Username of the account that it acts as with its own credentials.
    #[schema(min_length = 1, max_length = 50)]
    acts_as: Option<String>,
    /// Where its public keys are, for `private_key_jwt`.
    #[schema(min_length = 1, max_length = 2048)]
    jwks_uri: Option<String>,
    /// Its public keys (RFC 7517), for `private_key_jwt`.
    jwks: Option<Map<String, Value>>,
}

/// What can be exchanged for tokens.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes a value that is read as text")]
pub(super) enum GrantType {
    /// What a person agreed to in a browser.
    #[schema(rename = "authorization_code")]
    Code,
    /// A refresh token.
    #[schema(rename = "refresh_token")]
    Refresh,
    /// The client's own credentials.
    #[schema(rename = "client_credentials")]
    Own,
    /// What a person agreed to on another device.
    #[schema(rename = "urn:ietf:params:oauth:grant-type:device_code")]
    Device,
    /// Another token.
    #[schema(rename = "urn:ietf:params:oauth:grant-type:token-exchange")]
    Exchange,
}

/// How a client proves who it is.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a value that is read as text")]
pub(super) enum AuthMethod {
    /// Not at all: a program on people's machines.
    None,
    /// By a secret in a header.
    ClientSecretBasic,
    /// By a secret in the body.
    ClientSecretPost,
    /// By a signature with its own key.
    PrivateKeyJwt,
}
