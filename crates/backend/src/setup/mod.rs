//! The first administrator: made by whoever holds the one-time link that the first start prints.

mod page;
pub(crate) mod routes;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngExt as _;
use sha2::{Digest as _, Sha256};
use syfthub_domain::{Error, ErrorCode, Result, Role, SharedClock};
use syfthub_store::users::{UNIQUE_EMAIL, UNIQUE_USERNAME, UserRow};
use syfthub_store::{Db, Tx, settings, users};

use crate::audit::Origin;
use crate::users::{NewAccount, Users, created, email_taken, record_created, row};

/// Where the hash of the link's token is kept.
const KEY: &str = "setup.token_sha256";

/// The rules of the first administrator.
#[derive(Debug)]
pub struct Setup {
    db: Db,
    clock: SharedClock,
    users: Arc<Users>,
    /// Public address of the hub without a trailing slash.
    origin: String,
}

impl Setup {
    pub(crate) fn new(db: Db, clock: SharedClock, users: Arc<Users>, origin: &str) -> Self {
        Self { db, clock, users, origin: origin.trim_end_matches('/').to_owned() }
    }

    /// Makes the one-time link of a hub without an administrator. `None` when there is one, or when an
    /// earlier start made the link and the caller has it: only its hash is kept, so it cannot be shown again.
    /// A caller who does not have it (the process ended before it wrote it down) gets a new one.
    pub async fn ensure_link(&self, is_had: bool) -> Result<Option<String>> {
        if !is_had {
            return self.renew_link().await;
        }
        if self.users.has_admin().await? {
            return Ok(None);
        }
        let (token, hash) = new_token();
        let mut tx = self.db.begin().await?;
        let stored = settings::compare_and_put(&mut tx, KEY, None, &hash, self.clock.now()).await?;
        tx.commit().await?;
        Ok(stored.then(|| self.link(&token)))
    }

    /// Makes a new link and voids the one before; for whoever lost it.
    pub async fn renew_link(&self) -> Result<Option<String>> {
        if self.users.has_admin().await? {
            return Ok(None);
        }
        let (token, hash) = new_token();
        let mut tx = self.db.begin().await?;
        settings::put(&mut tx, KEY, &hash, self.clock.now()).await?;
        tx.commit().await?;
        Ok(Some(self.link(&token)))
    }

    fn link(&self, token: &str) -> String {
        format!("{}/api/v1/setup?token={token}", self.origin)
    }

    /// 410 once an administrator exists, whatever else is wrong with a request.
    pub(crate) async fn refuse_when_done(&self) -> Result<()> {
        if self.users.has_admin().await? { Err(gone()) } else { Ok(()) }
    }

    /// Whether a link is good: 410 once an administrator exists, 403 for a wrong token.
    pub(crate) async fn check(&self, token: &str) -> Result<()> {
        // The link is read first: whoever finds it taken by a post at the same moment also finds its admin.
        let stored = settings::get(&self.db, KEY).await?;
        self.refuse_when_done().await?;
        // Comparing hashes tells an attacker nothing about the token, whatever the time it takes.
        if stored.is_some_and(|stored| stored == hash(token)) {
            return Ok(());
        }
        Err(Error::forbidden("This set-up link is not valid; use the newest one that the hub printed"))
    }

    /// Creates the first administrator and voids the link.
    pub(crate) async fn create_admin(&self, token: &str, account: NewAccount) -> Result<UserRow> {
        self.check(token).await?;
        let password = self.users.hash(&account.password).await?;
        let mut tx = self.db.begin().await?;
        // The link is taken first: of two posts at once, one finds it gone.
        if !void_link(&mut tx).await? || users::any_admin(&mut tx).await? {
            return Err(gone());
        }
        let new = row(&account, &account.username, &password, Role::Admin);
        let user = users::insert(&mut tx, &new, self.clock.now()).await.map_err(taken)?;
        record_created(&mut tx, &Origin::system("setup"), &user).await?;
        tx.commit().await?;
        created(&user);
        Ok(user)
    }
}

/// Voids the link in the change that makes an administrator. Whether there was one.
pub(crate) async fn void_link(tx: &mut Tx) -> Result<bool> {
    Ok(settings::delete(tx, KEY).await?)
}

fn taken(error: syfthub_store::Error) -> Error {
    if error.is_unique(UNIQUE_EMAIL) {
        return email_taken();
    }
    if error.is_unique(UNIQUE_USERNAME) {
        return Error::coded(ErrorCode::Conflict, "Username already exists").with_extra("field", "username");
    }
    error.into()
}

fn gone() -> Error {
    Error::new(ErrorCode::Gone, "This hub has an administrator already; the set-up link no longer works")
}

fn new_token() -> (String, String) {
    let bytes: [u8; 32] = rand::rng().random();
    let token = URL_SAFE_NO_PAD.encode(bytes);
    let hash = hash(&token);
    (token, hash)
}

fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_256_bits_and_differ() {
        let (a, b) = (new_token(), new_token());
        assert_eq!(a.0.len(), 43);
        assert_ne!(a, b);
        assert_eq!(a.1, hash(&a.0));
    }
}
