//! Wallets behind a provider, and prepaid subscriptions.
//!
//! Keys are sealed at rest and opened only to pay. The provider is never asked while a change is open.

mod challenge;
mod mock;
mod payments;
mod provider;
pub(crate) mod routes;
mod subscription_routes;
mod subscriptions;
mod wire;

use std::sync::Arc;

use syfthub_auth::sealing::Sealer;
use syfthub_config::{Secret, WalletProvider as Kind};
use syfthub_domain::{Error, Result, SharedClock, UserId};
use syfthub_store::Db;
use syfthub_store::wallets;

use self::mock::MockWallets;
use self::provider::{Account, NewWallet, NoWallets, Transaction, WalletProvider};
use crate::audit::{self, Origin};
use crate::parts::Parts;

/// Millionths of a dollar in a dollar.
const DOLLAR: i64 = 1_000_000;

/// The rules of wallets.
#[derive(Debug)]
pub(crate) struct Wallet {
    db: Db,
    clock: SharedClock,
    sealer: Arc<Sealer>,
    provider: Arc<dyn WalletProvider>,
    /// What one user may spend in a day, in millionths of a dollar.
    daily_limit: i64,
}

/// What a wallet holds and what moved last.
#[derive(Debug, Default)]
struct Standing {
    balance: i64,
    recent: Vec<Transaction>,
    exists: bool,
}

impl Wallet {
    /// Builds the feature.
    #[expect(clippy::unnecessary_wraps, reason = "every feature is built alike")]
    pub(crate) fn build(parts: &Parts) -> Result<Self> {
        let settings = parts.settings.wallet;
        let provider: Arc<dyn WalletProvider> = match settings.provider {
            Kind::None => Arc::new(NoWallets),
            Kind::Mock => Arc::new(MockWallets::new(parts.clock.clone())),
        };
        Ok(Self {
            db: parts.db.clone(),
            clock: parts.clock.clone(),
            sealer: Arc::clone(&parts.sealer),
            provider,
            daily_limit: i64::from(settings.daily_limit_usd) * DOLLAR,
        })
    }

    /// The address of the user's wallet, if there is one.
    async fn address(&self, user: UserId) -> Result<Option<String>> {
        let row = wallets::find(&self.db, user).await?;
        Ok(row.and_then(|row| row.wallet_private_key.and(row.wallet_address)))
    }

    /// Makes a wallet, or gives the address of the one that there is.
    async fn create(&self, user: UserId, origin: &Origin) -> Result<String> {
        self.provider.ready()?;
        if let Some(address) = self.address(user).await? {
            return Ok(address);
        }
        let new = self.provider.create().await?;
        let sealed = self.sealed(user, &new)?;
        let mut tx = self.db.begin().await?;
        if !wallets::insert(&mut tx, user, &new.address, &sealed).await? {
            // Another request was first; its wallet counts.
            drop(tx);
            return self.address(user).await?.ok_or_else(|| Error::not_found("User not found"));
        }
        let mut entry = origin.entry(self.clock.now(), "wallet.created", "user", user);
        entry.after = Some(serde_json::json!({"address": new.address}));
        audit::record(&mut tx, &entry).await?;
        tx.commit().await?;
        tracing::info!(target: "syfthub.api.wallet", user_id = user.0, "wallet.created");
        Ok(new.address)
    }

    /// Takes the wallet of a key in place of any other.
    async fn import(&self, user: UserId, key: &Secret, origin: &Origin) -> Result<String> {
        self.provider.ready()?;
        let new = self.provider.import(key).await?;
        let sealed = self.sealed(user, &new)?;
        let mut tx = self.db.begin().await?;
        let before = wallets::find(&mut tx, user).await?.and_then(|row| row.wallet_address);
        wallets::replace(&mut tx, user, &new.address, &sealed).await?;
        let mut entry = origin.entry(self.clock.now(), "wallet.imported", "user", user);
        entry.before = before.map(|address| serde_json::json!({"address": address}));
        entry.after = Some(serde_json::json!({"address": new.address}));
        audit::record(&mut tx, &entry).await?;
        tx.commit().await?;
        tracing::info!(target: "syfthub.api.wallet", user_id = user.0, "wallet.imported");
        Ok(new.address)
    }

    /// What the user's wallet holds. A provider that fails is as good as an empty wallet: the page still opens.
    async fn standing(&self, user: UserId) -> Result<Standing> {
        let Some(address) = self.address(user).await? else { return Ok(Standing::default()) };
        let balance = self.provider.balance(&address).await;
        let recent = self.provider.transactions(&address).await;
        if let Err(error) = balance.as_ref().map(drop).and(recent.as_ref().map(drop)) {
            tracing::warn!(target: "syfthub.api.wallet", %error, user_id = user.0, "wallet.provider.failed");
        }
        Ok(Standing { balance: balance.unwrap_or(0), recent: recent.unwrap_or_default(), exists: true })
    }

    fn sealed(&self, user: UserId, new: &NewWallet) -> Result<String> {
        let sealed = self.sealer.seal(new.key.expose().as_bytes(), &place(user, &new.address))?;
        Ok(hex::encode(sealed))
    }

    /// The wallet that pays; `None` without one.
    async fn account(&self, user: UserId) -> Result<Option<Account>> {
        let row = wallets::find(&self.db, user).await?;
        let Some((address, sealed)) = row.and_then(|row| row.wallet_address.zip(row.wallet_private_key))
        else {
            return Ok(None);
        };
        let sealed =
            hex::decode(sealed.expose()).map_err(|_| Error::internal("a wallet's key is not sealed"))?;
        let key = self.sealer.open(&sealed, &place(user, &address))?;
        let key = std::str::from_utf8(&key).map_err(|_| Error::internal("a wallet's key is no text"))?;
        Ok(Some(Account { address, key: Secret::new(key) }))
    }
}

/// Where a sealed key belongs: it opens nowhere else.
fn place(user: UserId, address: &str) -> Vec<u8> {
    format!("wallet:{user}:{address}").into_bytes()
}
