//! Delivery in the background. Mails wait in the database, so they survive a restart, and one of several
//! replicas takes each of them.

use std::time::Duration;

use futures::StreamExt as _;
use syfthub_domain::{Result, Timestamp};
use syfthub_store::outbox::{self, Claimed};

use super::Mail;
use super::mailer::{Letter, SendError};

/// Mails taken at once.
const BATCH: u32 = 8;
/// Mails on their way at once.
const AT_ONCE: usize = 4;
/// Longest time for one try.
const ONE_TRY: Duration = Duration::from_secs(30);
/// How long taken mails are nobody else's: longer than a batch can take, `BATCH / AT_ONCE` tries in a row.
const LEASE: Duration = Duration::from_mins(3);
/// Longest time between two looks, for mails that other replicas left behind.
const IDLE: Duration = Duration::from_secs(15);
/// Looks after a call: it comes before the change that holds the mail is committed.
const AFTER_CALL: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(20),
    Duration::from_millis(80),
    Duration::from_millis(400),
    Duration::from_secs(2),
];

impl Mail {
    /// Delivers for ever. Ends with its task.
    pub(crate) async fn deliver_forever(&self) {
        if !self.is_enabled() {
            return;
        }
        let mut looks = AFTER_CALL.iter();
        loop {
            let pause = match looks.next() {
                Some(pause) => *pause,
                None => self.pause().await,
            };
            tokio::select! {
                () = self.called.notified() => looks = AFTER_CALL.iter(),
                () = tokio::time::sleep(pause) => {}
            }
            match self.deliver_due().await {
                Ok(0) => {}
                Ok(_) => looks = AFTER_CALL.iter(), // there may be more
                Err(error) => {
                    tracing::warn!(target: "syfthub.api.mail", %error, cause = error.chain(), "mail.outbox.failed");
                }
            }
        }
    }

    /// Until the next mail is due, as far as this process knows.
    async fn pause(&self) -> Duration {
        let now = self.clock.now();
        match outbox::next_due(&self.db, now).await {
            Ok(Some(due)) => due.since(now).clamp(Duration::from_millis(200), IDLE),
            Ok(None) | Err(_) => IDLE,
        }
    }

    /// Delivers what is due now. Gives how many mails were tried.
    pub(crate) async fn deliver_due(&self) -> Result<usize> {
        let now = self.clock.now();
        let lease = now.plus(LEASE);
        let mut tx = self.db.begin().await?;
        let claimed = outbox::claim(&mut tx, lease, BATCH, now).await?;
        tx.commit().await?;
        let count = claimed.len();
        let mut running =
            futures::stream::iter(claimed).map(|mail| self.deliver(mail, lease)).buffer_unordered(AT_ONCE);
        while let Some(done) = running.next().await {
            done?;
        }
        Ok(count)
    }

    async fn deliver(&self, mail: Claimed, lease: Timestamp) -> Result<()> {
        let outcome = self.attempt(&mail).await;
        let tries = u32::try_from(mail.attempts).unwrap_or(u32::MAX);
        let mut tx = self.db.begin().await?;
        match outcome {
            Err(failure) if failure.retry && tries < self.max_tries => {
                let next = self.clock.now().plus(self.retry_delay.saturating_mul(tries));
                outbox::retry(&mut tx, &mail.id, lease, next, &failure.text).await?;
                tracing::warn!(target: "syfthub.api.mail", id = mail.id, tries, reason = failure.text, "mail.delayed");
            }
            Err(failure) => {
                outbox::finish(&mut tx, &mail.id, lease).await?;
                tracing::error!(target: "syfthub.api.mail", id = mail.id, tries, reason = failure.text, "mail.failed");
            }
            Ok(()) => {
                outbox::finish(&mut tx, &mail.id, lease).await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// One try. What nobody needs any more counts as done.
    async fn attempt(&self, mail: &Claimed) -> std::result::Result<(), SendError> {
        let Some(mailer) = &self.mailer else { return Ok(()) };
        if mail.expires_at.is_some_and(|end| end <= self.clock.now()) {
            tracing::warn!(target: "syfthub.api.mail", id = mail.id, "mail.expired");
            return Ok(());
        }
        let Some(letter) = self.open(mail)? else { return Ok(()) };
        let domain = letter.to.rsplit_once('@').map_or("", |(_, domain)| domain).to_owned();
        match tokio::time::timeout(ONE_TRY, mailer.send(&letter)).await {
            Ok(Ok(())) => {
                tracing::info!(target: "syfthub.api.mail", id = letter.id, domain, tries = mail.attempts, "mail.sent");
                Ok(())
            }
            Ok(Err(failure)) => Err(failure),
            Err(_) => Err(SendError::new(true, "the mail server took too long")),
        }
    }

    /// The mail itself; `None` for a decoy.
    fn open(&self, mail: &Claimed) -> std::result::Result<Option<Letter>, SendError> {
        let lost = |_| SendError::new(false, "the mail was sealed with a key that is gone");
        let plain = self.sealer.open(&mail.sealed, &super::place(&mail.id)).map_err(lost)?;
        serde_json::from_slice(&plain).map_err(|_| SendError::new(false, "the mail cannot be read"))
    }
}
