//! Credits that users bought from owners outside the hub, which only remembers where they are.

use syfthub_domain::{Error, ErrorCode, Result, SubscriptionId, UserId};
use syfthub_store::subscriptions::{self, SubscriptionRow, Told};
use syfthub_store::users;

use super::Wallet;

/// Most subscriptions of one account.
const MAX_OWNED: i64 = 1_000;

impl Wallet {
    /// The newest of each owner.
    pub(super) async fn subscriptions(&self, user: UserId) -> Result<Vec<SubscriptionRow>> {
        Ok(subscriptions::newest_by_owner(&self.db, user).await?)
    }

    /// Remembers credits, over what was known of them.
    pub(super) async fn subscribe(&self, user: UserId, told: &Told) -> Result<SubscriptionRow> {
        let mut tx = self.db.begin().await?;
        users::lock(&mut tx, user).await?;
        let is_new = !subscriptions::is_known(&mut tx, user, &told.credits_url).await?;
        if is_new && subscriptions::count(&mut tx, user).await? >= MAX_OWNED {
            let text = format!("An account has at most {MAX_OWNED} subscriptions; remove one first");
            return Err(Error::new(ErrorCode::BadRequest, text));
        }
        let row = subscriptions::upsert(&mut tx, user, told, self.clock.now()).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// Forgets one.
    pub(super) async fn unsubscribe(&self, user: UserId, id: SubscriptionId) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let gone = subscriptions::delete(&mut tx, user, id).await?;
        tx.commit().await?;
        if gone { Ok(()) } else { Err(unknown()) }
    }

    /// Forgets all of one owner.
    pub(super) async fn unsubscribe_owner(&self, user: UserId, owner: &str) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let gone = subscriptions::delete_by_owner(&mut tx, user, owner).await?;
        tx.commit().await?;
        if gone > 0 { Ok(()) } else { Err(unknown()) }
    }
}

fn unknown() -> Error {
    Error::not_found("Subscription not found")
}
