//! The JSON of registration, login and refresh.

use serde::Serialize;
use syfthub_domain::{Role, Timestamp};
use syfthub_store::sessions::ListedSession;
use syfthub_store::users::UserRow;
use utoipa::ToSchema;

use super::Pair;
use super::browser::Started;

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
    /// For the `Authorization` header; null with `?session=cookie`.
    pub access_token: Option<String>,
    /// For `/auth/refresh`, once; null with `?session=cookie`.
    pub refresh_token: Option<String>,
    /// Always `bearer`.
    pub token_type: &'static str,
}

impl Auth {
    /// Shows a user with the pair that was made for them.
    pub(crate) fn new(user: &UserRow, pair: &Pair) -> Self {
        Self::with(user, Some(pair))
    }

    /// Shows a user with their new session.
    pub(crate) fn started(user: &UserRow, started: &Started) -> Self {
        Self::with(user, started.pair())
    }

    fn with(user: &UserRow, pair: Option<&Pair>) -> Self {
        Self {
            user: user.into(),
            access_token: pair.map(|pair| pair.access.expose().to_owned()),
            refresh_token: pair.map(|pair| pair.refresh.expose().to_owned()),
            token_type: "bearer",
        }
    }
}

/// The answer to a registration. The tokens are null while the mail address must be confirmed, and with
/// `?session=cookie`.
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
    pub(crate) fn verified(user: &UserRow, started: &Started) -> Self {
        let Auth { user, access_token, refresh_token, token_type } = Auth::started(user, started);
        Self { user, access_token, refresh_token, token_type, requires_email_verification: false }
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
    /// For whom Google's ID tokens must be, where people can sign in with Google; null elsewhere.
    #[schema(example = "1234567890-abc.apps.googleusercontent.com")]
    pub google_client_id: Option<String>,
    /// Whether people can sign in with GitHub, by opening `/api/v1/auth/github`.
    pub github_enabled: bool,
    /// Who may register: `open`, `invitation`, `domains` or `closed`.
    #[schema(example = "open")]
    pub registration: &'static str,
    /// Whether people without an account may browse the hub and ask its guest-accessible endpoints.
    pub guest_access: bool,
    /// What the hub calls itself.
    #[schema(example = "SyftHub")]
    pub instance_name: String,
}

/// Where somebody is signed in.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SessionView {
    /// For ending it.
    #[schema(example = "01980a3e-5d0c-7c52-b7a1-5f6f3f0f9f10")]
    pub id: String,
    /// `token` (a client that holds tokens) or `browser` (a cookie).
    #[schema(pattern = "^(token|browser)$", example = "browser")]
    pub kind: String,
    /// What the client called itself, shortened.
    #[schema(
        max_length = 160,
        example = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    )]
    pub device: Option<String>,
    /// Network address of its last use.
    #[schema(example = "203.0.113.7")]
    pub address: Option<String>,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Its last use, recorded once a minute.
    #[schema(value_type = String, format = DateTime)]
    pub last_used_at: Timestamp,
    /// When it ends unless it is used before.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// Whether it is the one that asks.
    pub current: bool,
}

impl SessionView {
    /// Shows a session to its owner, who asks from the session `current`.
    pub(crate) fn new(row: ListedSession, current: Option<&str>) -> Self {
        Self {
            current: current == Some(row.id.as_str()),
            id: row.id,
            kind: row.kind,
            device: row.device,
            address: row.address,
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            expires_at: row.expires_at,
        }
    }
}

/// How many sessions were ended.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct EndedSessions {
    /// Their number.
    #[schema(minimum = 0)]
    pub ended: u64,
}
