//! Who keeps wallets and moves money.

use async_trait::async_trait;
use syfthub_config::Secret;
use syfthub_domain::{Error, ErrorCode, Result, Timestamp};

use super::challenge::Challenge;

/// A wallet that was made or imported.
#[derive(Debug, Clone)]
pub(crate) struct NewWallet {
    /// Its public address.
    pub address: String,
    /// Its key, to be sealed at once.
    pub key: Secret,
}

/// A wallet that pays.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    /// Its public address.
    pub address: String,
    /// Its key.
    pub key: Secret,
}

/// A movement of money, as one wallet sees it. Amounts are millionths of a dollar; outgoing ones are negative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transaction {
    /// Names it at the provider.
    pub id: String,
    /// Address that paid.
    pub sender: String,
    /// Address that was paid.
    pub recipient: String,
    /// How much.
    pub amount: i64,
    /// When.
    pub at: Timestamp,
}

/// Keeps wallets. No transaction of the database is open while it is asked.
#[async_trait]
pub(crate) trait WalletProvider: Send + Sync + std::fmt::Debug {
    /// Whether there are wallets at all; `NOT_CONFIGURED` otherwise.
    fn ready(&self) -> Result<()>;
    /// Makes a wallet.
    async fn create(&self) -> Result<NewWallet>;
    /// Reads the wallet of a key; 400 for what is no key.
    async fn import(&self, key: &Secret) -> Result<NewWallet>;
    /// What a wallet holds, in millionths of a dollar.
    async fn balance(&self, address: &str) -> Result<i64>;
    /// What moved, newest first.
    async fn transactions(&self, address: &str) -> Result<Vec<Transaction>>;
    /// Pays a challenge and gives the credential that proves it.
    async fn pay(&self, challenge: &Challenge, account: &Account) -> Result<Secret>;
}

/// No wallets: the default.
#[derive(Debug)]
pub(crate) struct NoWallets;

fn not_configured<T>() -> Result<T> {
    let text = "This hub has no wallets; its operator can switch them on with the setting WALLET_PROVIDER";
    Err(Error::coded(ErrorCode::NotConfigured, text))
}

#[async_trait]
impl WalletProvider for NoWallets {
    fn ready(&self) -> Result<()> {
        not_configured()
    }

    async fn create(&self) -> Result<NewWallet> {
        not_configured()
    }

    async fn import(&self, _: &Secret) -> Result<NewWallet> {
        not_configured()
    }

    async fn balance(&self, _: &str) -> Result<i64> {
        Ok(0)
    }

    async fn transactions(&self, _: &str) -> Result<Vec<Transaction>> {
        Ok(Vec::new())
    }

    async fn pay(&self, _: &Challenge, _: &Account) -> Result<Secret> {
        not_configured()
    }
}
