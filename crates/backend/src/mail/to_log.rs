//! Mail as lines of the log, for development.

use async_trait::async_trait;

use super::mailer::{Letter, Mailer, SendError};

/// Writes each mail to the log, code and all. The settings refuse it in production unless it was asked for.
#[derive(Debug)]
pub(crate) struct ToLog;

#[async_trait]
impl Mailer for ToLog {
    async fn send(&self, letter: &Letter) -> Result<(), SendError> {
        let Letter { to, subject, text, .. } = letter;
        tracing::info!(target: "syfthub.api.mail", to, subject, text, "mail.logged");
        Ok(())
    }
}
