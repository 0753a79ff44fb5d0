//! The JSON of sign-in providers.

use serde::Serialize;
use syfthub_domain::{SignInProvider, Timestamp};
use syfthub_store::identities::IdentityRow;
use utoipa::ToSchema;

/// An ID token of Google, to sign in with.
#[derive(Serialize, ToSchema)]
pub(super) struct GoogleSignIn {
    /// As Google's script gave it to the page.
    #[schema(min_length = 1, max_length = 8192, example = "eyJ…")]
    pub credential: String,
    /// The code of an invitation, for a new account where `/auth/config` says that `registration` is `invitation` or
    /// `domains`.
    #[schema(max_length = 128)]
    pub invitation_code: Option<String>,
}

/// An ID token of Google, to link its account.
#[derive(Serialize, ToSchema)]
pub(super) struct GoogleLink {
    /// As Google's script gave it to the page.
    #[schema(min_length = 1, max_length = 8192, example = "eyJ…")]
    pub credential: String,
}

/// An account of a provider that opens the caller's.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Identity {
    /// `google` or `github`.
    #[schema(value_type = String, pattern = "^(google|github)$", example = "github")]
    pub provider: SignInProvider,
    /// What it is called there, as of its last use: a mail address or a name.
    #[schema(example = "octocat")]
    pub label: String,
    /// When it was linked.
    #[schema(value_type = String, format = DateTime)]
    pub linked_at: Timestamp,
    /// When it was last used to sign in.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Timestamp>,
}

impl From<IdentityRow> for Identity {
    fn from(row: IdentityRow) -> Self {
        let IdentityRow { provider, label, created_at, last_used_at, .. } = row;
        Self { provider, label, linked_at: created_at, last_used_at }
    }
}
