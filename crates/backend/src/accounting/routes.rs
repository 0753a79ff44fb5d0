//! `/api/v1/users/me/accounting` and `/api/v1/accounting`.

use axum::Json;
use serde_json::Value;
use syfthub_web::{ApiResult, Fields, JsonBody, MaybeJson, QueryFields};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::not_configured;
use super::wire::{AccountingCredentials, TransactionTokens, TransactionTokensRequest};
use crate::access::User;
use crate::router::AppState;

/// Owners that tokens can be asked for at once.
const MAX_OWNERS: usize = 20;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(credentials))
        .routes(routes!(transaction_tokens))
        .routes(routes!(user))
        .routes(routes!(transactions, create_transaction))
        .routes(routes!(confirm))
        .routes(routes!(cancel))
}

/// Where the caller's account at an accounting service is
#[utoipa::path(get, path = "/api/v1/users/me/accounting", tag = "accounting", security(("bearer" = [])),
    responses((status = 200, body = AccountingCredentials), (status = 401), (status = 403)))]
async fn credentials(User(caller): User) -> Json<AccountingCredentials> {
    Json(AccountingCredentials { url: None, email: caller.email, password: None })
}

/// Tokens with which owners of endpoints may charge the caller
#[utoipa::path(post, path = "/api/v1/accounting/transaction-tokens", tag = "accounting", security(("bearer" = [])),
    request_body = TransactionTokensRequest,
    responses((status = 200, body = TransactionTokens),
        (status = 400, description = "The caller has no account at an accounting service"), (status = 401),
        (status = 403), (status = 415), (status = 422)))]
async fn transaction_tokens(User(_caller): User, JsonBody(body): JsonBody) -> ApiResult<Json<Value>> {
    let mut fields = Fields::body(body)?;
    fields.strings("owner_usernames").items(1, MAX_OWNERS).required();
    fields.finish()?;
    Err(not_configured().into())
}

/// The caller's account at the accounting service
#[utoipa::path(get, path = "/api/v1/accounting/user", tag = "accounting", security(("bearer" = [])),
    responses((status = 400, description = "The caller has no account at an accounting service"), (status = 401),
        (status = 403)))]
async fn user(User(_caller): User) -> Answer {
    Err(not_configured().into())
}

/// The caller's transactions
#[utoipa::path(get, path = "/api/v1/accounting/transactions", tag = "accounting", security(("bearer" = [])),
    params(("skip" = Option<i64>, Query, minimum = 0, maximum = 1_000_000, description = "Rows left out"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 100, description = "Rows given, 20 by default")),
    responses((status = 400, description = "The caller has no account at an accounting service"), (status = 401),
        (status = 403), (status = 422)))]
async fn transactions(User(_caller): User, QueryFields(mut query): QueryFields) -> Answer {
    query.int("skip").range(0, 1_000_000).or(0);
    query.int("limit").range(1, 100).or(20);
    query.finish()?;
    Err(not_configured().into())
}

/// Begin a transaction
#[utoipa::path(post, path = "/api/v1/accounting/transactions", tag = "accounting", security(("bearer" = [])),
    responses((status = 400, description = "The caller has no account at an accounting service"), (status = 401),
        (status = 403), (status = 415), (status = 422)))]
async fn create_transaction(User(_caller): User, MaybeJson(_body): MaybeJson) -> Answer {
    Err(not_configured().into())
}

/// Confirm a transaction
#[utoipa::path(post, path = "/api/v1/accounting/transactions/{id}/confirm", tag = "accounting",
    security(("bearer" = [])), params(("id" = String, Path, description = "The transaction")),
    responses((status = 400, description = "The caller has no account at an accounting service"), (status = 401),
        (status = 403)))]
async fn confirm(User(_caller): User) -> Answer {
    Err(not_configured().into())
}

/// Cancel a transaction
#[utoipa::path(post, path = "/api/v1/accounting/transactions/{id}/cancel", tag = "accounting",
    security(("bearer" = [])), params(("id" = String, Path, description = "The transaction")),
    responses((status = 400, description = "The caller has no account at an accounting service"), (status = 401),
        (status = 403)))]
async fn cancel(User(_caller): User) -> Answer {
    Err(not_configured().into())
}

/// What a route gives that nobody can use without an account.
type Answer = ApiResult<Json<Value>>;
