//! The JSON of registration, login and refresh.

use serde::Serialize;
use syfthub_domain::{Role, Timestamp};
use syfthub_store::users::UserRow;
use utoipa::ToSchema;

use super::Pair;

/// The seven facts about a user that come with their tokens.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SessionUser {
    /// Row id.
    pub id: i64,
    /// Unique name; may differ from the one that was asked for at registration.
    pub username: String,
    /// Unique mail address.
    pub email: String,
    /// Display name.
    pub full_name: String,
    /// `admin`, `user` or `guest`.
    #[schema(value_type = String, example = "user")]
    pub role: Role,
    /// Whether the account may be used.
    pub is_active: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl From<&UserRow> for SessionUser {
    fn from(row: &UserRow) -> Self {
        Self {
            id: row.id.0,
            username: row.username.as_str().to_owned(),
            email: row.email.as_str().to_owned(),
            full_name: row.full_name.clone(),
            role: row.role,
            is_active: row.is_active,
            created_at: row.created_at,
        }
    }
}

/// A user and their tokens.
#[derive(Serialize, ToSchema)]
pub struct Auth {
    /// Who signed in.
    pub user: SessionUser,
    /// For the `Authorization` header.
    pub access_token: String,
    /// For `/auth/refresh`, once.
    pub refresh_token: String,
    /// Always `bearer`.
    pub token_type: &'static str,
}

impl Auth {
    /// Shows a user with the pair that was made for them.
    pub(crate) fn new(user: &UserRow, pair: &Pair) -> Self {
        Self {
            user: user.into(),
            access_token: pair.access.expose().to_owned(),
            refresh_token: pair.refresh.expose().to_owned(),
            token_type: "bearer",
        }
    }
}

/// The answer to a registration. The tokens are null while the mail address must be confirmed.
#[derive(Serialize, ToSchema)]
pub struct Registration {
    /// The new user.
    pub user: SessionUser,
    /// For the `Authorization` header.
    pub access_token: Option<String>,
    /// For `/auth/refresh`, once.
    pub refresh_token: Option<String>,
    /// Always `bearer`.
    pub token_type: &'static str,
    /// Whether a code was sent that must be entered first.
    pub requires_email_verification: bool,
}

impl Registration {
    /// Shows a user who may start at once.
    pub(crate) fn verified(user: &UserRow, pair: &Pair) -> Self {
        Self {
            user: user.into(),
            access_token: Some(pair.access.expose().to_owned()),
            refresh_token: Some(pair.refresh.expose().to_owned()),
            token_type: "bearer",
            requires_email_verification: false,
        }
    }

    /// Shows a user who must confirm the mail address first.
    pub(crate) fn unverified(user: &UserRow) -> Self {
        Self {
            user: user.into(),
            access_token: None,
            refresh_token: None,
            token_type: "bearer",
            requires_email_verification: true,
        }
    }
}

/// A fresh pair of tokens.
#[derive(Serialize, ToSchema)]
pub struct TokenPair {
    /// For the `Authorization` header.
    pub access_token: String,
    /// For `/auth/refresh`, once.
    pub refresh_token: String,
    /// Always `bearer`.
    pub token_type: &'static str,
}

impl From<&Pair> for TokenPair {
    fn from(pair: &Pair) -> Self {
        Self {
            access_token: pair.access.expose().to_owned(),
            refresh_token: pair.refresh.expose().to_owned(),
            token_type: "bearer",
        }
    }
}

/// What a sign-in page needs to know.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AuthConfig {
    /// Whether a new account must confirm its mail address.
    pub require_email_verification: bool,
    /// Whether the hub can send mail.
    pub smtp_configured: bool,
    /// Whether a forgotten password can be replaced by mail.
    pub password_reset_enabled: bool,
    /// What the hub calls itself in satellite tokens (`iss`), so that a service can check them.
    pub issuer: String,
    /// Who may register: `open`, `invitation`, `domains` or `closed`.
    #[schema(example = "open")]
    pub registration: &'static str,
    /// Whether people without an account may browse the hub and ask its guest-accessible endpoints.
    pub guest_access: bool,
    /// What the hub calls itself.
    #[schema(example = "SyftHub")]
    pub instance_name: String,
}
