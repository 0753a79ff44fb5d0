//! The session cookie of a browser as a credential.

use std::net::IpAddr;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use syfthub_auth::Principal;
use syfthub_domain::{CredentialKind, Error, Result, Scope, Timestamp};
use syfthub_store::sessions::{self, SessionRow};
use syfthub_store::users::{self, UserRow};

use super::{Access, TOUCH_EVERY, Verified, principal};

/// A session that is not used for so long ends.
const IDLE: Duration = Duration::from_hours(24 * 14);
/// No session lasts longer, however often it is used.
pub(crate) const LONGEST: Duration = Duration::from_hours(24 * 90);
/// The one text for every cookie that is not good.
const NOT_GOOD: &str = "Your session has ended; sign in again";

/// What is stored of a cookie's value.
pub(crate) fn hash(value: &str) -> String {
    hex::encode(Sha256::digest(value.as_bytes()))
}

/// When a session ends that began at one moment and is used at another.
pub(crate) fn end(began: Timestamp, used: Timestamp) -> Timestamp {
    used.plus(IDLE).min(began.plus(LONGEST))
}

impl Access {
    /// The user behind a session cookie, or 401. Whether the request may use it is not asked here.
    pub(crate) async fn authenticate_browser(&self, value: &str, from: Option<IpAddr>) -> Result<Principal> {
        let now = self.clock.now();
        // Under another key than the same text as a token, which is no token.
        let key = Sha256::new().chain_update(b"browser:").chain_update(value).finalize().into();
        Ok(self.remembering(key, now, self.by_cookie(value, from, now)).await?.principal)
    }

    async fn by_cookie(&self, value: &str, from: Option<IpAddr>, now: Timestamp) -> Result<Verified> {
        let (session, user) = self.browser_session(value, from, now).await?;
        let expires_at = session.expires_at;
        let principal = principal(user, vec![Scope::Full], CredentialKind::BrowserSession, Some(session.id));
        Ok(Verified { principal, expires_at, key: None })
    }

    /// The session behind a cookie and its user, looked up now, or 401. The use is recorded, at most once a minute.
    pub(crate) async fn browser_session(
        &self,
        value: &str,
        from: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(SessionRow, UserRow)> {
        let refused = |why: &'static str| Error::unauthenticated(NOT_GOOD).with_source(why);
        let session = sessions::find_live(&self.db, &hash(value), now).await?;
        let session = session.ok_or_else(|| refused("there is no such session, or it has ended"))?;
        let user = users::find_by_id(&self.db, session.user_id).await?;
        let user = user.ok_or_else(|| refused("the user does not exist"))?;
        if !user.is_active {
            return Err(refused("the user is not active"));
        }
        if user.token_epoch != session.token_epoch {
            return Err(refused("the session is of an earlier epoch"));
        }
        if now.since(session.last_used_at) >= TOUCH_EVERY {
            self.touch(&session, from, now).await;
        }
        Ok((session, user))
    }

    async fn touch(&self, session: &SessionRow, from: Option<IpAddr>, now: Timestamp) {
        let from = from.map(|ip| ip.to_string());
        let end = end(session.created_at, now);
        self.record("session", async |tx| sessions::touch(tx, &session.id, from.as_deref(), now, end).await)
            .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_slides_for_ninety_days_at_most() {
        let day = |number: u64| Timestamp::from_secs(1_800_000_000).plus(Duration::from_hours(24 * number));
        assert_eq!(end(day(0), day(0)), day(14));
        assert_eq!(end(day(0), day(10)), day(24));
        assert_eq!(end(day(0), day(80)), day(90));
    }
}
