//! Mail to users: templates, the outbox, and the ways out.

mod delivery;
mod mailer;
mod message;
mod resend;
pub(crate) mod routes;
mod smtp;
mod to_log;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use syfthub_auth::sealing::Sealer;
use syfthub_config::{MailProvider, Settings};
use syfthub_domain::{Email, Error, Result, SharedClock};
use syfthub_store::outbox::{self, NewMail};
use syfthub_store::{Db, Tx};
use tokio::sync::Notify;
use uuid::Uuid;

use self::message::{Sender, Texts};
pub use mailer::{Letter, Mailer, SendError};
pub(crate) use message::Message;

/// Sends mail, if a provider is configured.
pub(crate) struct Mail {
    db: Db,
    clock: SharedClock,
    sealer: Arc<Sealer>,
    mailer: Option<Arc<dyn Mailer>>,
    sender: RwLock<Sender>,
    max_tries: u32,
    retry_delay: Duration,
    /// Wakes the delivery of this process.
    called: Notify,
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail").field("mailer", &self.mailer).finish_non_exhaustive()
    }
}

/// Where a sealed mail belongs: it opens nowhere else.
fn place(id: &str) -> Vec<u8> {
    format!("outbox:{id}").into_bytes()
}

impl Mail {
    /// Builds the feature. `instead` takes the place of the configured way out, if there is one.
    pub(crate) fn build(
        settings: &Settings,
        db: &Db,
        clock: &SharedClock,
        sealer: &Arc<Sealer>,
        instead: Option<Arc<dyn Mailer>>,
    ) -> Result<Self> {
        let mail = &settings.mail;
        let configured: Option<Arc<dyn Mailer>> = match &mail.provider {
            MailProvider::None => None,
            MailProvider::Log => Some(Arc::new(to_log::ToLog)),
            MailProvider::Smtp(server) => Some(Arc::new(smtp::Smtp::new(mail, server)?)),
            MailProvider::Resend(resend) => Some(Arc::new(resend::Resend::new(mail, resend)?)),
        };
        let mailer = configured.map(|configured| instead.unwrap_or(configured));
        Ok(Self {
            db: db.clone(),
            clock: clock.clone(),
            sealer: Arc::clone(sealer),
            mailer,
            sender: RwLock::new(Sender {
                instance: settings.hub.instance_name.clone(),
                url: settings.public.frontend.clone(),
            }),
            max_tries: mail.max_tries,
            retry_delay: mail.retry_delay,
            called: Notify::new(),
        })
    }

    /// What mails call the hub from now on.
    pub(crate) fn call_the_hub(&self, instance: &str) {
        let mut sender = self.sender.write().unwrap_or_else(PoisonError::into_inner);
        instance.clone_into(&mut sender.instance);
    }

    fn sender(&self) -> Sender {
        self.sender.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether mail can be sent. If not, addresses are not verified and forgotten passwords not reset.
    pub(crate) fn is_enabled(&self) -> bool {
        self.mailer.is_some()
    }

    /// Keeps a mail in the caller's change; it is delivered in the background after the commit, at once in this
    /// process. Does nothing without a provider.
    pub(crate) async fn enqueue(&self, tx: &mut Tx, to: &Email, message: Message) -> Result<()> {
        self.keep(tx, to, &message, true).await
    }

    /// Does all the work of [`Mail::enqueue`] and sends nothing, so that the time an answer takes does not tell
    /// whether somebody has an account.
    pub(crate) async fn pretend(&self, tx: &mut Tx, to: &Email, message: Message) -> Result<()> {
        self.keep(tx, to, &message, false).await
    }

    async fn keep(&self, tx: &mut Tx, to: &Email, message: &Message, real: bool) -> Result<()> {
        if !self.is_enabled() {
            return Ok(());
        }
        let now = self.clock.now();
        let id = Uuid::now_v7().to_string();
        let Texts { subject, text, html } = message.write(&self.sender());
        let letter = Letter { id: id.clone(), to: to.as_str().to_owned(), subject, text, html };
        let plain = serde_json::to_vec(&real.then_some(&letter)).map_err(Error::internal)?;
        let sealed = self.sealer.seal(&plain, &place(&id)).map_err(Error::internal)?;
        let expires_at = message.valid_for().map(|time| now.plus(time));
        outbox::insert(tx, &NewMail { id: id.clone(), sealed, expires_at }, now).await?;
        tracing::debug!(target: "syfthub.api.mail", id, kind = message.kind(), "mail.queued");
        self.called.notify_one();
        Ok(())
    }
}
