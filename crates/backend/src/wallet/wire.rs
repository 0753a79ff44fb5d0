//! The JSON of wallets and subscriptions.

use serde::Serialize;
use syfthub_domain::Timestamp;
use syfthub_store::subscriptions::SubscriptionRow;
use utoipa::ToSchema;

use super::Standing;
use super::provider::Transaction;

/// Movements that the balance shows.
const RECENT: usize = 10;

/// Whether the caller has a wallet.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WalletInfo {
    /// Its public address.
    pub(super) address: Option<String>,
    /// Whether there is one.
    pub(super) exists: bool,
}

/// The address of a wallet.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WalletAddress {
    /// Its public address.
    pub(super) address: String,
}

/// A movement of money.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WalletTransaction {
    /// Names it at the provider.
    id: String,
    /// Address that paid.
    sender_email: String,
    /// Address that was paid.
    recipient_email: String,
    /// In dollars; negative when the caller paid.
    amount: f64,
    /// `completed`.
    status: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// The service that was paid, if it is known.
    app_name: Option<String>,
    /// Its endpoint, if it is known.
    app_ep_path: Option<String>,
}

impl From<Transaction> for WalletTransaction {
    fn from(moved: Transaction) -> Self {
        Self {
            id: moved.id,
            sender_email: moved.sender,
            recipient_email: moved.recipient,
            amount: decimal(moved.amount, 1e6),
            status: "completed".to_owned(),
            created_at: moved.at,
            app_name: None,
            app_ep_path: None,
        }
    }
}

/// What the caller's wallet holds.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WalletBalance {
    /// In dollars.
    balance: f64,
    /// `USD`.
    currency: String,
    /// What moved last, newest first; at most ten.
    recent_transactions: Vec<WalletTransaction>,
    /// Whether there is a wallet.
    wallet_configured: bool,
}

impl From<Standing> for WalletBalance {
    fn from(standing: Standing) -> Self {
        Self {
            balance: decimal(standing.balance, 1e6),
            currency: "USD".to_owned(),
            recent_transactions: standing
                .recent
                .into_iter()
                .take(RECENT)
                .map(WalletTransaction::from)
                .collect(),
            wallet_configured: standing.exists,
        }
    }
}

/// A key to import.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the document's description of a body that is read field by field")]
pub(crate) struct WalletImport {
    /// 64 hexadecimal digits, with or without `0x`. It is kept sealed and never shown.
    #[schema(min_length = 64, max_length = 66, pattern = "^(0x)?[0-9a-fA-F]{64}$", format = Password)]
    private_key: String,
}

/// A challenge to pay.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the document's description of a body that is read field by field")]
pub(crate) struct WalletPayment {
    /// The `WWW-Authenticate` header of the service, of the scheme `Payment`.
    #[schema(min_length = 1, max_length = 10000)]
    www_authenticate: String,
    /// The endpoint that asked for it.
    #[schema(min_length = 1, max_length = 255, example = "my-notes")]
    endpoint_slug: String,
}

/// What proves a payment.
#[derive(Serialize, ToSchema)]
pub(crate) struct WalletCredential {
    /// Sent on as the header `X-Payment`.
    pub(super) x_payment: String,
}

/// Credits that the caller bought from an owner.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Subscription {
    /// Row id.
    id: i64,
    /// Where the credits are asked for.
    credits_url: String,
    /// Where credits are bought.
    payment_url: String,
    /// Currency of the balance.
    currency: String,
    /// Whose endpoints the credits are for.
    endpoint_owner: String,
    /// The endpoint that led there.
    endpoint_slug: Option<String>,
    /// What was left at the last look.
    last_known_balance: Option<f64>,
    /// When that was.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_checked_at: Option<Timestamp>,
    /// When something was there for the first time.
    #[schema(value_type = Option<String>, format = DateTime)]
    first_funded_at: Option<Timestamp>,
    /// When it was remembered first.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was told of last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<SubscriptionRow> for Subscription {
    fn from(row: SubscriptionRow) -> Self {
        Self {
            id: row.id.0,
            credits_url: row.credits_url,
            payment_url: row.payment_url,
            currency: row.currency,
            endpoint_owner: row.endpoint_owner,
            endpoint_slug: row.endpoint_slug,
            last_known_balance: row.last_known_balance.map(|balance| decimal(balance, 1e4)),
            last_checked_at: row.last_checked_at,
            first_funded_at: row.first_funded_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// The caller's subscriptions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Subscriptions {
    /// The newest of each owner, last changed first.
    pub(super) subscriptions: Vec<Subscription>,
}

/// What is known about credits.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the document's description of a body that is read field by field")]
pub(crate) struct SubscriptionTold {
    /// Where the credits are asked for; a second time with the same address changes the first.
    #[schema(
        min_length = 1,
        max_length = 2000,
        pattern = "^https?://(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9][A-Za-z0-9.-]*)(:[0-9]{1,5})?([/?#][!-~]*)?$",
        example = "https://pay.example.org/credits"
    )]
    credits_url: String,
    /// Where credits are bought.
    #[schema(
        min_length = 1,
        max_length = 2000,
        pattern = "^https?://(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9][A-Za-z0-9.-]*)(:[0-9]{1,5})?([/?#][!-~]*)?$",
        example = "https://pay.example.org/buy"
    )]
    payment_url: String,
    /// Currency of the balance.
    #[schema(min_length = 1, max_length = 8, default = "IDR", example = "IDR")]
    currency: Option<String>,
    /// Whose endpoints the credits are for.
    #[schema(min_length = 1, max_length = 50, example = "ada")]
    endpoint_owner: String,
    /// The endpoint that led there.
    #[schema(max_length = 255, example = "my-notes")]
    endpoint_slug: Option<String>,
    /// What is left.
    #[schema(minimum = 0, maximum = 99_999_999_999_999_i64, example = 15000)]
    last_known_balance: Option<f64>,
}

/// A whole number of parts as a decimal one.
#[expect(clippy::cast_precision_loss, reason = "amounts of money are far below what a float holds exactly")]
fn decimal(parts: i64, per_unit: f64) -> f64 {
    parts as f64 / per_unit
}

/// A decimal number as a whole number of ten-thousandths.
#[expect(clippy::cast_possible_truncation, reason = "the bounds of the field keep it in range")]
pub(super) fn ten_thousandths(amount: f64) -> i64 {
    (amount * 1e4).round() as i64
}
