//! Wallets of play money for development: a ledger in this process, gone when it ends. A wallet that is seen for
//! the first time holds what a test network would have given it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use syfthub_config::Secret;
use syfthub_domain::{Error, ErrorCode, Result, SharedClock};

use super::challenge::Challenge;
use super::provider::{Account, NewWallet, Transaction, WalletProvider};

/// What a new wallet holds, in millionths of a dollar.
const GIFT: i64 = 100_000_000;
/// Wallets that are remembered at once.
const MAX_WALLETS: usize = 10_000;
/// Movements that are remembered of each.
const MAX_MOVEMENTS: usize = 100;

#[derive(Debug, Default)]
struct Held {
    balance: i64,
    /// Oldest first.
    moved: Vec<Transaction>,
}

impl Held {
    fn book(&mut self, transaction: Transaction) {
        self.balance = self.balance.saturating_add(transaction.amount);
        if self.moved.len() >= MAX_MOVEMENTS {
            self.moved.remove(0);
        }
        self.moved.push(transaction);
    }
}

/// The ledger.
#[derive(Debug)]
pub(crate) struct MockWallets {
    clock: SharedClock,
    held: Mutex<HashMap<String, Held>>,
}

impl MockWallets {
    /// An empty ledger.
    pub(crate) fn new(clock: SharedClock) -> Self {
        Self { clock, held: Mutex::default() }
    }

    /// Works on what a wallet holds.
    fn with<T>(&self, address: &str, work: impl FnOnce(&mut Held) -> T) -> Result<T> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if !held.contains_key(address) {
            if held.len() >= MAX_WALLETS {
                return Err(Error::new(ErrorCode::Unavailable, "The mock ledger is full; restart the hub"));
            }
            let mut new = Held::default();
            new.book(Transaction {
                id: id(&["gift", address]),
                sender: "faucet".to_owned(),
                recipient: address.to_owned(),
                amount: GIFT,
                at: self.clock.now(),
            });
            held.insert(address.to_owned(), new);
        }
        held.get_mut(address).map(work).ok_or_else(|| Error::internal("a wallet vanished from the ledger"))
    }
}

/// A short name made of what it names.
fn id(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    hex::encode(digest.get(..16).unwrap_or(&digest))
}

/// The address that belongs to a key of 32 bytes.
fn address(key: &[u8]) -> String {
    let digest = Sha256::digest(key);
    format!("0x{}", hex::encode(digest.get(..20).unwrap_or(&digest)))
}

fn signature(key: &Secret, challenge: &Challenge) -> Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()).map_err(Error::internal)?;
    mac.update(challenge.id.as_bytes());
    mac.update(&[0]);
    mac.update(challenge.request.as_bytes());
    Ok(hex::encode(mac.finalize().into_bytes()))
}

#[async_trait]
impl WalletProvider for MockWallets {
    fn ready(&self) -> Result<()> {
        Ok(())
    }

    async fn create(&self) -> Result<NewWallet> {
        let key: [u8; 32] = rand::random();
        self.import(&Secret::new(hex::encode(key))).await
    }

    async fn import(&self, key: &Secret) -> Result<NewWallet> {
        let text = key.expose().trim();
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let bytes =
            hex::decode(digits).ok().filter(|bytes| bytes.len() == 32 && bytes.iter().any(|byte| *byte != 0));
        let Some(bytes) = bytes else {
            return Err(Error::new(
                ErrorCode::BadRequest,
                "A private key is 64 hexadecimal digits, with or without 0x",
            ));
        };
        Ok(NewWallet { address: address(&bytes), key: Secret::new(format!("0x{}", hex::encode(&bytes))) })
    }

    async fn balance(&self, address: &str) -> Result<i64> {
        self.with(address, |held| held.balance)
    }

    async fn transactions(&self, address: &str) -> Result<Vec<Transaction>> {
        self.with(address, |held| held.moved.iter().rev().cloned().collect())
    }

    async fn pay(&self, challenge: &Challenge, account: &Account) -> Result<Secret> {
        let signature = signature(&account.key, challenge)?;
        let paid = Transaction {
            id: id(&[&account.address, &challenge.id, &challenge.request]),
            sender: account.address.clone(),
            recipient: challenge.recipient.clone(),
            amount: -challenge.amount,
            at: self.clock.now(),
        };
        let booked = self.with(&account.address, |held| {
            let enough = held.balance >= challenge.amount;
            if enough {
                held.book(paid.clone());
            }
            enough
        })?;
        if !booked {
            return Err(Error::coded(ErrorCode::InsufficientBalance, "The wallet does not hold enough"));
        }
        if challenge.recipient.starts_with("0x") {
            self.with(&challenge.recipient, |held| {
                held.book(Transaction { amount: challenge.amount, ..paid });
            })?;
        }
        let credential = json!({
            "challenge": {"id": challenge.id, "realm": challenge.realm, "method": challenge.method,
                "intent": "charge", "request": challenge.request},
            "source": format!("did:mock:{}", account.address),
            "payload": {"type": "mock", "signature": signature},
        });
        Ok(Secret::new(URL_SAFE_NO_PAD.encode(credential.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use syfthub_domain::{FixedClock, Timestamp};

    use super::*;

    fn challenge(amount: i64) -> Challenge {
        Challenge {
            id: amount.to_string(),
            realm: String::new(),
            method: "mock".to_owned(),
            request: String::new(),
            recipient: "0xb".to_owned(),
            amount,
        }
    }

    #[tokio::test]
    async fn money_is_neither_made_nor_lost() {
        let wallets = MockWallets::new(FixedClock::new(Timestamp::from_secs(1)));
        let made = wallets.create().await.unwrap();
        let same = wallets.import(&made.key).await.unwrap();
        assert_eq!((same.address.as_str(), same.address.len()), (made.address.as_str(), 42));
        let account = Account { address: made.address.clone(), key: made.key };
        wallets.pay(&challenge(30_000_000), &account).await.unwrap();
        let refused = wallets.pay(&challenge(70_000_001), &account).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::InsufficientBalance);
        wallets.pay(&challenge(70_000_000), &account).await.unwrap();
        assert_eq!(wallets.balance(&made.address).await.unwrap(), 0);
        assert_eq!(wallets.balance("0xb").await.unwrap(), 2 * GIFT);
        let moved = wallets.transactions(&made.address).await.unwrap();
        assert_eq!(
            moved.iter().map(|moved| moved.amount).collect::<Vec<_>>(),
            [-70_000_000, -30_000_000, GIFT]
        );
    }

    #[tokio::test]
    async fn what_is_no_key_is_refused() {
        let wallets = MockWallets::new(FixedClock::new(Timestamp::from_secs(1)));
        for bad in ["", "0x", "zz", &"0".repeat(64), &"a".repeat(63), &"a".repeat(66)] {
            let refused = wallets.import(&Secret::new(bad.to_owned())).await.unwrap_err();
            assert_eq!(refused.code, ErrorCode::BadRequest, "{bad}");
        }
    }
}
