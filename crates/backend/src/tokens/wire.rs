//! The JSON of personal access tokens.

use serde::Serialize;
use syfthub_domain::{Scope, Timestamp};
use syfthub_store::access_tokens::AccessTokenRow;
use utoipa::ToSchema;

/// A personal access token, without the token itself.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Pat {
    /// Row id.
    pub id: i64,
    /// What the owner called it.
    pub name: String,
    /// The first 16 characters.
    pub token_prefix: String,
    /// `read`, `write` or `full`.
    #[schema(value_type = Vec<String>)]
    pub scopes: Vec<Scope>,
    /// When it ends, if ever.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Timestamp>,
    /// From where.
    pub last_used_ip: Option<String>,
    /// False once revoked.
    pub is_active: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

impl From<AccessTokenRow> for Pat {
    fn from(row: AccessTokenRow) -> Self {
        Self {
            id: row.id.0,
            name: row.name,
            token_prefix: row.token_prefix,
            scopes: row.scopes,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
            last_used_ip: row.last_used_ip,
            is_active: row.is_active,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A token at the one moment when it is shown.
#[derive(Serialize, ToSchema)]
pub struct CreatedPat {
    /// Everything that can be read later as well.
    #[serde(flatten)]
    pub pat: Pat,
    /// The token. It is not stored and cannot be shown again.
    pub token: String,
}

/// The caller's tokens.
#[derive(Debug, Serialize, ToSchema)]
pub struct PatList {
    /// Newest first.
    pub tokens: Vec<Pat>,
    /// How many there are, under the same filter.
    pub total: i64,
}

/// What a personal access token may do.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Scope)]
pub enum ScopeName {
    /// Look.
    Read,
    /// Look and change, but not credentials.
    Write,
    /// Everything that its owner may do.
    Full,
}

/// A new personal access token.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"name": "my laptop", "scopes": ["full"], "expires_at": null}))]
pub struct PatCreate {
    /// What it is for.
    #[schema(min_length = 1, max_length = 100, pattern = r"\S")]
    pub name: String,
    /// What it may do; everything if nothing is said.
    #[schema(min_items = 1, max_items = 10)]
    pub scopes: Option<Vec<ScopeName>>,
    /// When it ends, which must be in the future; never if nothing is said.
    #[schema(value_type = Option<String>, format = DateTime, pattern = "^2[2-9][0-9][0-9]-", example = "2200-01-02T03:04:05Z")]
    pub expires_at: Option<String>,
}

/// A new name for a token.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"name": "my other laptop"}))]
pub struct PatUpdate {
    /// What it is for.
    #[schema(min_length = 1, max_length = 100, pattern = r"\S")]
    pub name: String,
}
