//! `/api/v1/wallet`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use syfthub_config::Secret;
use syfthub_web::{ApiResult, Fields, JsonBody};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire::{
    WalletAddress, WalletBalance, WalletCredential, WalletImport, WalletInfo, WalletPayment,
    WalletTransaction,
};
use super::{Wallet, subscription_routes};
use crate::access::User;
use crate::audit::Origin;
use crate::limits::{Limits, Scope};
use crate::router::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(info))
        .routes(routes!(create))
        .routes(routes!(import))
        .routes(routes!(balance))
        .routes(routes!(transactions))
        .routes(routes!(pay))
        .merge(subscription_routes::routes())
}

/// Whether the caller has a wallet
#[utoipa::path(get, path = "/api/v1/wallet", tag = "wallet", security(("bearer" = [])),
    responses((status = 200, body = WalletInfo), (status = 401), (status = 403)))]
async fn info(State(wallet): State<Arc<Wallet>>, User(caller): User) -> ApiResult<Json<WalletInfo>> {
    let address = wallet.address(caller.user_id).await?;
    Ok(Json(WalletInfo { exists: address.is_some(), address }))
}

/// Make a wallet, or learn the address of the one that there is
#[utoipa::path(post, path = "/api/v1/wallet/create", tag = "wallet", security(("bearer" = [])),
    responses((status = 200, body = WalletAddress), (status = 401), (status = 403),
        (status = 503, description = "The hub has no wallets")))]
async fn create(
    State(wallet): State<Arc<Wallet>>,
    User(caller): User,
    origin: Origin,
) -> ApiResult<Json<WalletAddress>> {
    Ok(Json(WalletAddress { address: wallet.create(caller.user_id, &origin).await? }))
}

/// Import a wallet in place of any other
#[utoipa::path(post, path = "/api/v1/wallet/import", tag = "wallet", security(("bearer" = [])),
    request_body = WalletImport,
    responses((status = 200, body = WalletAddress), (status = 400, description = "It is no private key"),
        (status = 401), (status = 403), (status = 422), (status = 503, description = "The hub has no wallets")))]
async fn import(
    State(wallet): State<Arc<Wallet>>,
    User(caller): User,
    origin: Origin,
    JsonBody(body): JsonBody,
) -> ApiResult<Json<WalletAddress>> {
    let mut fields = Fields::body(body)?;
    let key = fields.string("private_key").required();
    let valid = fields.finish()?;
    let address = wallet.import(caller.user_id, &Secret::new(key.take(&valid)), &origin).await?;
    Ok(Json(WalletAddress { address }))
}

/// What the caller's wallet holds
#[utoipa::path(get, path = "/api/v1/wallet/balance", tag = "wallet", security(("bearer" = [])),
    responses((status = 200, body = WalletBalance), (status = 401), (status = 403)))]
async fn balance(State(wallet): State<Arc<Wallet>>, User(caller): User) -> ApiResult<Json<WalletBalance>> {
    Ok(Json(wallet.standing(caller.user_id).await?.into()))
}

/// What moved in the caller's wallet, newest first
#[utoipa::path(get, path = "/api/v1/wallet/transactions", tag = "wallet", security(("bearer" = [])),
    responses((status = 200, body = Vec<WalletTransaction>), (status = 401), (status = 403)))]
async fn transactions(
    State(wallet): State<Arc<Wallet>>,
    User(caller): User,
) -> ApiResult<Json<Vec<WalletTransaction>>> {
    let standing = wallet.standing(caller.user_id).await?;
    Ok(Json(standing.recent.into_iter().map(WalletTransaction::from).collect()))
}

/// Pay a challenge from the caller's wallet
///
/// A challenge is paid once; asked again, the same credential is given.
#[utoipa::path(post, path = "/api/v1/wallet/pay", tag = "wallet", security(("bearer" = [])),
    request_body = WalletPayment,
    responses((status = 200, body = WalletCredential),
        (status = 400, description = "There is no wallet, it holds too little, or the challenge is too large"),
        (status = 401), (status = 403), (status = 409, description = "The challenge is being paid"),
        (status = 422, description = "A field is wrong, or the challenge cannot be read"), (status = 429),
        (status = 502, description = "The provider refused the payment"),
        (status = 503, description = "The hub has no wallets"),
        (status = 504, description = "The payment was not confirmed in time")))]
async fn pay(
    State(limits): State<Arc<Limits>>,
    State(wallet): State<Arc<Wallet>>,
    User(caller): User,
    origin: Origin,
    JsonBody(body): JsonBody,
) -> ApiResult<Json<WalletCredential>> {
    limits.check_payer(Scope::Payment, caller.user_id).await?;
    let mut fields = Fields::body(body)?;
    let challenge = fields.string("www_authenticate").length(1, usize::MAX).required();
    let slug = fields.string("endpoint_slug").length(1, 255).required();
    let valid = fields.finish()?;
    let (challenge, slug) = (challenge.take(&valid), slug.take(&valid));
    let credential = wallet.pay(caller.user_id, &challenge, &slug, &origin).await?;
    Ok(Json(WalletCredential { x_payment: credential.expose().to_owned() }))
}
