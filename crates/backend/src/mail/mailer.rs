//! The ways out for mail.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// A mail as it leaves.
#[derive(Clone, Serialize, Deserialize)]
pub struct Letter {
    /// Stays the same over all tries, so that a provider can tell a repetition.
    pub id: String,
    /// Address of the recipient.
    pub to: String,
    /// One line.
    pub subject: String,
    /// For programs that show no HTML.
    pub text: String,
    /// The same in HTML.
    pub html: String,
}

impl std::fmt::Debug for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Letter").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Why a mail did not leave. The text is for the log: [`SendError::new`] takes addresses out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendError {
    /// Whether another try makes sense.
    pub retry: bool,
    /// What went wrong.
    pub text: String,
}

/// Longest text of a failure, in characters.
const LONGEST: usize = 300;

impl SendError {
    /// A failure, with what looks like an address taken out: servers like to repeat it.
    pub fn new(retry: bool, text: &str) -> Self {
        let words = text.split_whitespace().map(|word| if word.contains('@') { "[address]" } else { word });
        let text: String = words.collect::<Vec<_>>().join(" ").chars().take(LONGEST).collect();
        Self { retry, text }
    }
}

impl std::fmt::Display for SendError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for SendError {}

/// Delivers one mail. The caller bounds the time and repeats what failed.
#[async_trait]
pub trait Mailer: std::fmt::Debug + Send + Sync {
    /// Hands a mail over; `Ok` means that somebody else is responsible for it now.
    async fn send(&self, letter: &Letter) -> Result<(), SendError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_no_address() {
        let error = SendError::new(false, "550 5.1.1 <bob@example.com>: Recipient\r\n address rejected");
        assert_eq!(error.text, "550 5.1.1 [address] Recipient address rejected");
        assert_eq!(SendError::new(true, &"x ".repeat(1000)).text.len(), LONGEST);
    }
}
