//! Paying. A challenge is paid once: asked again, the same credential is given. What is spent is counted before
//! the provider is asked, so that many requests at once do not pass the limit together.

use std::time::Duration;

use serde_json::json;
use sha2::{Digest as _, Sha256};
use syfthub_config::Secret;
use syfthub_domain::{Error, ErrorCode, PaymentStatus, Result, UserId};
use syfthub_store::users;
use syfthub_store::wallets::{self, NewPayment, PaymentRow};
use uuid::Uuid;

use super::challenge::{Challenge, LONGEST};
use super::{DOLLAR, Wallet};
use crate::audit::{self, Origin};

/// The limit counts what was spent in this time.
const DAY: Duration = Duration::from_hours(24);
/// When to come back after the limit: some of it may be free again by then.
const COME_BACK: Duration = Duration::from_hours(1);

/// Either this payment is to be made, or it was made before.
enum Reserved {
    New(String),
    Before(Secret),
}

impl Wallet {
    /// Pays a challenge from the user's wallet and gives the credential that proves it.
    pub(super) async fn pay(
        &self,
        user: UserId,
        header: &str,
        endpoint_slug: &str,
        origin: &Origin,
    ) -> Result<Secret> {
        if header.chars().count() > LONGEST {
            let text = format!("A payment challenge has at most {LONGEST} characters");
            return Err(Error::coded(ErrorCode::ChallengeTooLarge, text));
        }
        let Some(account) = self.account(user).await? else {
            let text = "You have no wallet; make or import one first";
            return Err(Error::coded(ErrorCode::WalletNotConfigured, text));
        };
        self.provider.ready()?;
        let challenge = Challenge::parse(header, self.clock.now())?;
        let hash = hex::encode(Sha256::digest(header.trim().as_bytes()));
        let id = match self.reserve(user, &challenge, hash, endpoint_slug).await? {
            Reserved::New(id) => id,
            Reserved::Before(credential) => return Ok(credential),
        };
        let paid = self.provider.pay(&challenge, &account).await;
        self.settle(user, &id, &challenge, paid, origin).await
    }

    /// Counts a payment against the limits.
    async fn reserve(
        &self,
        user: UserId,
        challenge: &Challenge,
        challenge_hash: String,
        endpoint_slug: &str,
    ) -> Result<Reserved> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        users::lock(&mut tx, user).await?;
        match wallets::find_payment(&mut tx, user, &challenge_hash).await? {
            Some(row) if row.status == PaymentStatus::Paid => {
                return self.opened(user, &row).map(Reserved::Before);
            }
            Some(row) if row.status == PaymentStatus::Reserved => {
                let text = "This challenge is being paid, or its outcome is not known; ask the service for a new one";
                return Err(Error::new(ErrorCode::Conflict, text));
            }
            _ => {}
        }
        let spent = wallets::spent_since(&mut tx, user, now.minus(DAY)).await?;
        self.within_limit(spent, challenge.amount)?;
        let new = NewPayment {
            id: Uuid::now_v7().to_string(),
            user_id: user,
            challenge_hash,
            endpoint_slug: endpoint_slug.to_owned(),
            recipient: challenge.recipient.clone(),
            amount: challenge.amount,
        };
        let id = wallets::reserve(&mut tx, &new, now).await?;
        tx.commit().await?;
        Ok(Reserved::New(id))
    }

    fn within_limit(&self, spent: i64, amount: i64) -> Result<()> {
        let limit = self.daily_limit / DOLLAR;
        if amount > self.daily_limit {
            let text = format!("This hub lets a user spend at most {limit} USD a day; the payment is larger");
            return Err(Error::new(ErrorCode::BadRequest, text));
        }
        if spent.saturating_add(amount) > self.daily_limit {
            let text = format!("You have reached the limit of {limit} USD a day");
            return Err(Error::new(ErrorCode::RateLimited, text).with_retry_after(COME_BACK));
        }
        Ok(())
    }

    /// Writes the outcome down.
    async fn settle(
        &self,
        user: UserId,
        id: &str,
        challenge: &Challenge,
        paid: Result<Secret>,
        origin: &Origin,
    ) -> Result<Secret> {
        let now = self.clock.now();
        let (status, sealed) = match &paid {
            Ok(credential) => {
                let sealed = self.sealer.seal(credential.expose().as_bytes(), &place(user, id))?;
                (PaymentStatus::Paid, Some(sealed))
            }
            // Nobody knows what became of it, so it stays counted and is not tried again.
            Err(error) if error.code == ErrorCode::BlockchainTimeout => (PaymentStatus::Reserved, None),
            Err(_) => (PaymentStatus::Failed, None),
        };
        let mut tx = self.db.begin().await?;
        wallets::settle(&mut tx, id, status, sealed.as_deref(), now).await?;
        let mut entry = origin.entry(now, "wallet.paid", "payment", id);
        entry.after =
            Some(json!({"status": status, "amount": challenge.amount, "recipient": challenge.recipient}));
        if status != PaymentStatus::Paid {
            entry.outcome = syfthub_store::audit::Outcome::Failed;
        }
        audit::record(&mut tx, &entry).await?;
        tx.commit().await?;
        tracing::info!(target: "syfthub.api.wallet", user_id = user.0, amount = challenge.amount,
            status = status.as_str(), "wallet.payment");
        paid
    }

    fn opened(&self, user: UserId, row: &PaymentRow) -> Result<Secret> {
        let sealed = row.credential_sealed.as_deref();
        let sealed = sealed.ok_or_else(|| Error::internal("a payment has no credential"))?;
        let bytes = self.sealer.open(sealed, &place(user, &row.id))?;
        let text = std::str::from_utf8(&bytes).map_err(|_| Error::internal("a credential is no text"))?;
        Ok(Secret::new(text))
    }
}

/// Where a sealed credential belongs: it opens nowhere else.
fn place(user: UserId, id: &str) -> Vec<u8> {
    format!("wallet-payment:{user}:{id}").into_bytes()
}
