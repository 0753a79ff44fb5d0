//! The one place where all sessions of a user end.

use syfthub_domain::{Result, Timestamp, UserId};
use syfthub_store::{Tx, refresh, users};

use crate::access::Access;

/// Sessions that ended in a change. Once that is committed, [`Ended::announce`] makes every replica forget the
/// credentials that it remembers.
#[derive(Debug)]
#[must_use = "credentials are remembered until this is announced"]
pub(crate) struct Ended(UserId);

/// Ends all sessions of a user: their tokens belong to an earlier epoch, and nothing refreshes them.
pub(crate) async fn end_sessions(tx: &mut Tx, user: UserId, now: Timestamp) -> Result<Ended> {
    users::bump_token_epoch(tx, user).await?;
    refresh::revoke_user(tx, user, now).await?;
    Ok(Ended(user))
}

impl Ended {
    /// Tells this process and the others; call it after the commit.
    pub(crate) async fn announce(self, access: &Access) {
        access.forget_user(self.0).await;
    }
}
