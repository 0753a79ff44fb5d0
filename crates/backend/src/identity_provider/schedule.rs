//! When the keys of a ring begin and end: that of the satellite tokens, and that of the authorization server. All that
//! is here is in the rows, so it holds for every process that reads them.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use syfthub_auth::keys::PublicKey;
use syfthub_domain::{Error, ErrorCode, Result, SharedClock, Timestamp};
use syfthub_store::keys::SigningKeyRow;
use syfthub_store::{Db, Tx, keys as store};

use crate::audit::{self, Origin};

/// How long verifiers may keep the key set; told them with every answer.
pub(crate) const JWKS_MAX_AGE: Duration = Duration::from_hours(1);
/// For clocks that differ and answers that were on their way.
const MARGIN: Duration = Duration::from_mins(5);
/// Keys published at once. Verifiers read a bounded number of them.
const MAX_PUBLISHED: usize = 16;

/// A key, as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyInfo {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// `active`, `next` (published, signs later), `retired` (only verifies) or `pinned` (active, of the settings).
    pub state: String,
    /// Time of creation; unknown of a pinned key.
    pub created_at: Option<Timestamp>,
    /// From when it signs.
    pub activated_at: Option<Timestamp>,
    /// From when it only verifies.
    pub retired_at: Option<Timestamp>,
    /// Until when it is published; open for the active one.
    pub published_until: Option<Timestamp>,
}

/// A ring of keys, of which one signs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule<'a> {
    pub(crate) db: &'a Db,
    pub(crate) clock: &'a SharedClock,
    /// What the keys sign.
    pub(crate) purpose: &'static str,
    /// The longest life of what they sign.
    pub(crate) life: Duration,
    /// Whether a key of the settings signs, which is in no row.
    pub(crate) is_pinned: bool,
}

impl Schedule<'_> {
    /// All keys that are published, newest first.
    pub(crate) async fn list(&self) -> Result<Vec<KeyInfo>> {
        let now = self.clock.now();
        let rows = store::list(self.db, self.purpose).await?;
        let signing = self.signing(&rows, now);
        let told = published(&rows, now).map(|row| KeyInfo {
            kid: row.kid.clone(),
            state: state(row, signing.as_deref(), now).to_owned(),
            created_at: Some(row.created_at),
            activated_at: row.activated_at,
            retired_at: row.retired_at,
            published_until: row.expires_at,
        });
        Ok(told.collect())
    }

    /// The stored key that signs.
    fn signing(&self, rows: &[SigningKeyRow], now: Timestamp) -> Option<String> {
        if self.is_pinned { None } else { active(rows, now).ok().map(|row| row.kid.clone()) }
    }

    /// Puts `fresh` in force when every verifier can know it, or at once (`at_once`); a key that is waiting for its time
    /// is then taken instead.
    pub(crate) async fn rotate(&self, origin: &Origin, fresh: SigningKeyRow, at_once: bool) -> Result<()> {
        let mut tx = self.db.begin().await?;
        store::lock(&mut tx).await?;
        let now = self.clock.now();
        store::purge_expired(&mut tx, now).await?;
        let rows = store::list(&mut tx, self.purpose).await?;
        let waiting = rows.iter().find(|row| row.activated_at.is_none_or(|at| at > now)).cloned();
        let next = match waiting {
            Some(row) if !at_once => {
                let at = row.activated_at.unwrap_or(now);
                let text = format!(
                    "The key {} is published already and signs from {at} on. Wait for it, or add --now",
                    row.kid
                );
                return Err(conflict(text));
            }
            Some(row) => {
                let next = SigningKeyRow { activated_at: Some(now), ..row };
                store::set_times(&mut tx, &next).await?;
                next
            }
            None => {
                if rows.len() >= MAX_PUBLISHED {
                    let text = format!(
                        "{MAX_PUBLISHED} keys are published already. Wait until the oldest have ended, or retire some"
                    );
                    return Err(conflict(text));
                }
                let starts = if at_once { now } else { now.plus(JWKS_MAX_AGE) };
                let next = SigningKeyRow { activated_at: Some(starts), created_at: now, ..fresh };
                store::insert(&mut tx, &next).await?;
                next
            }
        };
        self.hand_over(&mut tx, &rows, &next, now).await?;
        let mut entry = origin.entry(now, "key.rotated", "signing_key", &next.kid);
        entry.after = Some(json!({
            "kid": next.kid, "purpose": self.purpose, "signs_from": next.activated_at, "at_once": at_once,
        }));
        audit::record(&mut tx, &entry).await?;
        tx.commit().await?;
        tracing::info!(target: "syfthub.api.identity", kid = next.kid, purpose = self.purpose, at_once, "identity.key.rotated");
        Ok(())
    }

    /// Whatever signs now stops when `next` begins, and is published as long as somebody may need it.
    pub(crate) async fn hand_over(
        &self,
        tx: &mut Tx,
        rows: &[SigningKeyRow],
        next: &SigningKeyRow,
        now: Timestamp,
    ) -> Result<()> {
        let ends = next.activated_at.unwrap_or(now);
        let gone = ends.plus(self.life).plus(JWKS_MAX_AGE).plus(MARGIN);
        let signing = |row: &&SigningKeyRow| row.retired_at.is_none_or(|at| at > now);
        for row in rows.iter().filter(signing).filter(|row| row.kid != next.kid) {
            let old = SigningKeyRow { retired_at: Some(ends), expires_at: Some(gone), ..row.clone() };
            store::set_times(tx, &old).await?;
        }
        Ok(())
    }

    /// Takes a retired key out of the published ones before its time. `force` does it although tokens that it
    /// signed may still be in use.
    pub(crate) async fn retire(&self, origin: &Origin, kid: &str, force: bool) -> Result<()> {
        let mut tx = self.db.begin().await?;
        store::lock(&mut tx).await?;
        let now = self.clock.now();
        let rows = store::list(&mut tx, self.purpose).await?;
        let row = named(&rows, kid, now)?;
        if let Some(signing) = self.signing(&rows, now) {
            match state(row, Some(&signing), now) {
                "active" | "pinned" => {
                    return Err(conflict(
                        "This key signs now; rotate first (with --now if it must not sign any more)",
                    ));
                }
                "next" => {
                    return Err(conflict(
                        "This key is the next to sign; `keys rotate --now` puts it in force, then a new one can follow",
                    ));
                }
                _ => {}
            }
        }
        let ended = row.retired_at.map(|at| at.plus(self.life));
        if !force && ended.is_none_or(|at| at > now) {
            return Err(conflict(
                "Tokens that this key signed may still be in use; it goes by itself when they have ended. With --force it goes \
                 now: its tokens are refused as soon as a verifier fetches the keys again",
            ));
        }
        let gone =
            SigningKeyRow { retired_at: row.retired_at.or(Some(now)), expires_at: Some(now), ..row.clone() };
        store::set_times(&mut tx, &gone).await?;
        let mut entry = origin.entry(now, "key.retired", "signing_key", &gone.kid);
        entry.after = Some(json!({"kid": gone.kid, "purpose": self.purpose, "force": force}));
        audit::record(&mut tx, &entry).await?;
        tx.commit().await?;
        tracing::info!(target: "syfthub.api.identity", kid = gone.kid, purpose = self.purpose, force, "identity.key.retired");
        Ok(())
    }
}

pub(crate) fn conflict(text: impl Into<String>) -> Error {
    Error::new(ErrorCode::Conflict, text.into())
}

pub(super) fn public(row: &SigningKeyRow) -> Result<PublicKey> {
    Ok(PublicKey::from_pem(&row.public_pem)?)
}

/// The rows whose tokens are good or may become so, newest first.
pub(super) fn published(rows: &[SigningKeyRow], now: Timestamp) -> impl Iterator<Item = &SigningKeyRow> {
    rows.iter().filter(move |row| row.expires_at.is_none_or(|end| end > now))
}

/// The key that signs: of those whose time has come and is not over, the one that began last.
pub(super) fn active(rows: &[SigningKeyRow], now: Timestamp) -> Result<&SigningKeyRow> {
    let begun = |row: &&SigningKeyRow| row.activated_at.is_some_and(|at| at <= now);
    let signing = rows.iter().filter(begun).filter(|row| row.retired_at.is_none_or(|at| at > now));
    let latest = signing.max_by_key(|row| (row.activated_at, row.created_at));
    // A clock that was set back finds no key whose time has come; the one without an end is the right one.
    let latest = latest.or_else(|| rows.iter().find(|row| row.retired_at.is_none()));
    latest.ok_or_else(|| Error::internal("no RSA key could be stored"))
}

fn state(row: &SigningKeyRow, signing: Option<&str>, now: Timestamp) -> &'static str {
    if signing == Some(row.kid.as_str()) {
        // Without its private half here: the settings of the service that signs with it have that.
        if row.private_sealed.is_empty() { "pinned" } else { "active" }
    } else if signing.is_some() && row.activated_at.is_none_or(|at| at > now) {
        "next"
    } else {
        "retired"
    }
}

/// The published key of this name, or of the one name that begins so.
fn named<'a>(rows: &'a [SigningKeyRow], kid: &str, now: Timestamp) -> Result<&'a SigningKeyRow> {
    let found: Vec<_> =
        published(rows, now).filter(|row| !kid.is_empty() && row.kid.starts_with(kid)).collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(Error::not_found("No published key has this id; `keys list` names them")),
        _ => Err(conflict("Several keys begin with this id; give more of it")),
    }
}

/// The next moment at which a key begins or ends something, in microseconds.
pub(super) fn next_change(rows: &[SigningKeyRow], now: Timestamp) -> i64 {
    let moments = rows.iter().flat_map(|row| [row.activated_at, row.retired_at, row.expires_at]);
    let later = moments.flatten().filter(|moment| *moment > now);
    later.min().map_or(i64::MAX, Timestamp::as_micros)
}

#[cfg(test)]
#[path = "rotation_tests.rs"]
mod tests;
