//! `/api/v1/wallet/subscriptions`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde_json::Value;
use syfthub_domain::{Result, SubscriptionId};
use syfthub_store::subscriptions::Told;
use syfthub_web::{ApiResult, Fields, JsonBody, PathId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Wallet;
use super::wire::{Subscription, SubscriptionTold, Subscriptions, ten_thousandths};
use crate::access::User;
use crate::router::AppState;
use crate::web_address;

/// Largest balance that is kept.
const MAX_BALANCE: f64 = 99_999_999_999_999.0;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, tell)).routes(routes!(forget_owner)).routes(routes!(forget))
}

/// Credits that the caller bought, the newest of each owner
#[utoipa::path(get, path = "/api/v1/wallet/subscriptions", tag = "subscriptions", security(("bearer" = [])),
    responses((status = 200, body = Subscriptions), (status = 401), (status = 403)))]
async fn list(State(wallet): State<Arc<Wallet>>, User(caller): User) -> ApiResult<Json<Subscriptions>> {
    let rows = wallet.subscriptions(caller.user_id).await?;
    Ok(Json(Subscriptions { subscriptions: rows.into_iter().map(Subscription::from).collect() }))
}

/// Remember credits that the caller bought
///
/// Told again about the same address, what is known changes; nothing is added.
#[utoipa::path(post, path = "/api/v1/wallet/subscriptions", tag = "subscriptions", security(("bearer" = [])),
    request_body = SubscriptionTold,
    responses((status = 200, body = Subscription), (status = 400, description = "There are too many already"),
        (status = 401), (status = 403), (status = 422)))]
async fn tell(
    State(wallet): State<Arc<Wallet>>,
    User(caller): User,
    JsonBody(body): JsonBody,
) -> ApiResult<Json<Subscription>> {
    Ok(Json(wallet.subscribe(caller.user_id, &told(body)?).await?.into()))
}

fn told(body: Value) -> Result<Told> {
    let mut fields = Fields::body(body)?;
    let credits_url =
        fields.string("credits_url").length(1, 2000).rule(|text| web_address::check(text)).required();
    let payment_url =
        fields.string("payment_url").length(1, 2000).rule(|text| web_address::check(text)).required();
    let currency = fields.string("currency").length(1, 8).optional();
    let endpoint_owner = fields.string("endpoint_owner").length(1, 50).required();
    let endpoint_slug = fields.string("endpoint_slug").length(0, 255).optional();
    let balance = fields.float("last_known_balance").range(0.0, MAX_BALANCE).optional();
    let valid = fields.finish()?;
    Ok(Told {
        credits_url: credits_url.take(&valid),
        payment_url: payment_url.take(&valid),
        currency: currency.unwrap_or_else(|| "IDR".to_owned()),
        endpoint_owner: endpoint_owner.take(&valid),
        endpoint_slug: endpoint_slug.filter(|slug| !slug.is_empty()),
        last_known_balance: balance.map(ten_thousandths),
    })
}

/// Forget all credits of one owner
#[utoipa::path(delete, path = "/api/v1/wallet/subscriptions/by-owner/{owner}", tag = "subscriptions", security(("bearer" = [])),
    params(("owner" = String, Path)), responses((status = 204), (status = 401), (status = 403), (status = 404)))]
async fn forget_owner(
    State(wallet): State<Arc<Wallet>>,
    User(caller): User,
    Path(owner): Path<String>,
) -> ApiResult<StatusCode> {
    wallet.unsubscribe_owner(caller.user_id, &owner).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forget credits that the caller bought
#[utoipa::path(delete, path = "/api/v1/wallet/subscriptions/{id}", tag = "subscriptions", security(("bearer" = [])),
    params(("id" = i64, Path)),
    responses((status = 204), (status = 401), (status = 403), (status = 404), (status = 422)))]
async fn forget(
    State(wallet): State<Arc<Wallet>>,
    User(caller): User,
    PathId(id): PathId,
) -> ApiResult<StatusCode> {
    wallet.unsubscribe(caller.user_id, SubscriptionId(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
