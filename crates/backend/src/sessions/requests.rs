//! What clients send to register, sign in and refresh, for the API document. `routes.rs` reads it field by field.

use serde::Serialize;
use utoipa::ToSchema;

/// A new account.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"username": "bob", "email": "bob@example.com", "full_name": "Bob", "password": "correct horse 1"}))]
pub(super) struct UserRegister {
    /// The name that is wanted: letters a-z, digits, hyphens and underscores; some words are reserved. A taken
    /// one is replaced by one derived from the mail address.
    #[schema(min_length = 3, max_length = 50, pattern = "^[A-Za-z0-9_-]*[A-Za-z0-9][A-Za-z0-9_-]*$")]
    pub username: String,
    /// Mail address; stored in lower case.
    #[schema(min_length = 3, max_length = 255, format = "email")]
    pub email: String,
    /// Display name.
    #[schema(min_length = 1, max_length = 100, pattern = r"\S")]
    pub full_name: String,
    /// At least one letter and one digit; at most 1024 characters.
    #[schema(min_length = 8, format = "password")]
    pub password: String,
    /// The code of an invitation, where `/auth/config` says that `registration` is `invitation` or `domains`.
    #[schema(max_length = 128)]
    pub invitation_code: Option<String>,
}

/// Name and password, as an OAuth 2 form.
#[derive(Serialize, ToSchema)]
pub(super) struct LoginForm {
    /// Username or mail address.
    #[schema(min_length = 1, max_length = 320, example = "bob")]
    pub username: String,
    /// The password.
    #[schema(min_length = 1, max_length = 4096, format = "password", example = "correct horse 1")]
    pub password: String,
    /// Always `password`, if it is sent.
    #[schema(pattern = "^(password)?$", example = "password")]
    #[serde(default)]
    pub grant_type: String,
}

/// Name and password of a browser's sign-in.
#[derive(Serialize, ToSchema)]
pub(super) struct SignInForm {
    /// Username or mail address.
    #[schema(min_length = 1, max_length = 320, example = "bob")]
    pub username: String,
    /// The password.
    #[schema(min_length = 1, max_length = 4096, format = "password", example = "correct horse 1")]
    pub password: String,
}

/// The second half of a pair.
#[derive(Serialize, ToSchema)]
pub(super) struct RefreshRequest {
    /// As it came with the last pair.
    #[schema(min_length = 1, max_length = 8192, example = "eyJ…")]
    pub refresh_token: String,
}

/// An old and a new password.
#[derive(Serialize, ToSchema)]
pub(super) struct PasswordChange {
    /// The password of today.
    #[schema(min_length = 1, max_length = 4096, format = "password")]
    pub current_password: String,
    /// At least one letter and one digit; at most 1024 characters.
    #[schema(min_length = 8, format = "password")]
    pub new_password: String,
}
