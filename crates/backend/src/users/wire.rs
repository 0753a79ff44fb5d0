//! The JSON of users.

use serde::Serialize;
use syfthub_domain::{AuthProvider, Role, Timestamp};
use syfthub_store::users::UserRow;
use utoipa::ToSchema;

/// A user as they see themselves. Never holds a password hash, provider id or private key.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct User {
    /// Row id.
    pub id: i64,
    /// Unique name, lower-case.
    pub username: String,
    /// Unique mail address, lower-case.
    pub email: String,
    /// Display name.
    pub full_name: String,
    /// Picture.
    pub avatar_url: Option<String>,
    /// `admin`, `user` or `guest`.
    #[schema(value_type = String, example = "user")]
    pub role: Role,
    /// Whether the account may be used.
    pub is_active: bool,
    /// Whether the mail address was confirmed.
    pub is_email_verified: bool,
    /// Where the account came from.
    #[schema(value_type = String, example = "local")]
    pub auth_provider: AuthProvider,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// Payment address.
    pub wallet_address: Option<String>,
    /// Where the user's endpoints are served.
    pub domain: Option<String>,
    /// The user's own aggregator.
    pub aggregator_url: Option<String>,
    /// When they last signed in.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_login_at: Option<Timestamp>,
    /// Key for messages to them.
    pub encryption_public_key: Option<String>,
    /// A few words about them.
    pub bio: Option<String>,
    /// Whether others may see the mail address.
    pub is_email_public: bool,
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self {
            id: row.id.0,
            username: row.username.into_string(),
            email: row.email.into_string(),
            full_name: row.full_name,
            avatar_url: row.avatar_url,
            role: row.role,
            is_active: row.is_active,
            is_email_verified: row.is_email_verified,
            auth_provider: row.auth_provider,
            created_at: row.created_at,
            updated_at: row.updated_at,
            wallet_address: row.wallet_address,
            domain: row.domain,
            aggregator_url: row.aggregator_url,
            last_login_at: row.last_login_at,
            encryption_public_key: row.encryption_public_key,
            bio: row.bio,
            is_email_public: row.is_email_public,
        }
    }
}

/// What everybody may know about a user.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PublicProfile {
    /// Unique name.
    pub username: String,
    /// Display name.
    pub full_name: String,
    /// Picture.
    pub avatar_url: Option<String>,
    /// `admin`, `user` or `guest`.
    #[schema(value_type = String, example = "user")]
    pub role: Role,
    /// A few words about them.
    pub bio: Option<String>,
    /// Where the user's endpoints are served.
    pub domain: Option<String>,
    /// Only if the user opted in.
    pub email: Option<String>,
    /// Whether they did.
    pub is_email_public: bool,
    /// When the account was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl From<UserRow> for PublicProfile {
    fn from(row: UserRow) -> Self {
        Self {
            username: row.username.into_string(),
            full_name: row.full_name,
            avatar_url: row.avatar_url,
            role: row.role,
            bio: row.bio,
            domain: row.domain,
            email: row.is_email_public.then(|| row.email.into_string()),
            is_email_public: row.is_email_public,
            created_at: row.created_at,
        }
    }
}

/// Whether a username is free.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UsernameAvailability {
    /// Free, well formed and not reserved.
    pub available: bool,
    /// The name as it would be stored.
    pub username: String,
}

/// Whether a mail address is free.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EmailAvailability {
    /// Free and well formed.
    pub available: bool,
    /// The address as it would be stored.
    pub email: String,
}

/// What to change of an account. What is not sent stays as it is; `domain` and `bio` are cleared by `null`, and `null`
/// elsewhere changes nothing.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes the body, which is read field by field")]
pub(crate) struct UserUpdate {
    /// New name. The addresses of all the user's endpoints change with it, and so does their satellite audience.
    #[schema(min_length = 3, max_length = 50, example = "bob")]
    username: Option<String>,
    /// New mail address. Where the hub sends mail it has to be confirmed again.
    #[schema(min_length = 3, max_length = 255, format = "email", example = "bob@example.com")]
    email: Option<String>,
    /// New display name.
    #[schema(min_length = 1, max_length = 100, example = "Bob")]
    full_name: Option<String>,
    /// New picture.
    #[schema(max_length = 500)]
    avatar_url: Option<String>,
    /// Whether the account may be used; for administrators only.
    is_active: Option<bool>,
    /// Accepted for old clients and ignored.
    #[schema(max_length = 42)]
    wallet_address: Option<String>,
    /// Where the user's endpoints are served: `http(s)://host…`, or `tunneling:` and the user's own name.
    #[schema(max_length = 500, example = "https://bob.example.com")]
    domain: Option<String>,
    /// The user's own aggregator, an http(s) address.
    #[schema(max_length = 500, example = "https://aggregator.example.com")]
    aggregator_url: Option<String>,
    /// A few words about the user.
    #[schema(max_length = 2000)]
    bio: Option<String>,
    /// Whether the public profile shows the mail address.
    is_email_public: Option<bool>,
}
