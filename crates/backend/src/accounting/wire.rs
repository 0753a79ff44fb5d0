//! The JSON of accounting.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

/// Where the caller's account at an accounting service is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AccountingCredentials {
    /// Address of the service; null: there is none.
    pub(super) url: Option<String>,
    /// The caller's mail address.
    pub(super) email: String,
    /// Password at the service; null: there is none.
    pub(super) password: Option<String>,
}

/// Whom the caller would allow to charge them.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body for the API document")]
pub(super) struct TransactionTokensRequest {
    /// Owners of endpoints, 1 to 20.
    #[schema(min_items = 1, max_items = 20, example = json!(["alice"]))]
    owner_usernames: Vec<String>,
}

/// Tokens by owner.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes an answer that needs an account")]
pub(super) struct TransactionTokens {
    /// Owner to token.
    tokens: BTreeMap<String, String>,
    /// Owner to the reason why there is none.
    errors: BTreeMap<String, String>,
}
