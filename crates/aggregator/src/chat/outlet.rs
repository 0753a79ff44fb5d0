//! The way of events to whoever reads them, fast or slowly or not at all.

use std::time::Duration;

use syfthub_domain::{Error, ErrorCode, Result};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::time::Instant;

use super::event::Event;
use super::{TARGET, wire};
use crate::conversations::Keeping;

/// Sends the events of one request.
#[derive(Debug)]
pub(super) struct Outlet {
    events: mpsc::Sender<Event>,
    patience: Duration,
    keeping: Option<Keeping>,
}

impl Outlet {
    /// Into `events`, and with so much patience for a reader that takes none.
    pub(super) fn new(events: mpsc::Sender<Event>, patience: Duration) -> Self {
        Self { events, patience, keeping: None }
    }

    /// The same, keeping what passes for a conversation.
    pub(super) fn keeping(mut self, keeping: Option<Keeping>) -> Self {
        self.keeping = keeping;
        self
    }

    /// Adds the end to the conversation; waits a moment for it and never fails.
    pub(super) async fn keep(&mut self, last: &mut Event) {
        let Some(keeping) = self.keeping.take() else { return };
        match last {
            Event::Done(answer) => {
                let saved = keeping.answered(&answer.response, &wire::citations(answer)).await;
                answer.conversation_saved = Some(saved);
            }
            _ => {
                keeping.failed().await;
            }
        }
    }

    /// Sends an event and returns how long its reader kept us waiting, so that nobody else is blamed
    /// for that time. A reader who is gone or takes nothing any more ends the request.
    pub(super) async fn emit(&self, event: Event) -> Result<Duration> {
        if let (Some(keeping), Event::Token(text)) = (&self.keeping, &event) {
            keeping.hear(text);
        }
        let event = match self.events.try_send(event) {
            Ok(()) => return Ok(Duration::ZERO),
            Err(TrySendError::Closed(_)) => return Err(gone("the caller went away")),
            Err(TrySendError::Full(event)) => event,
        };
        let started = Instant::now();
        match tokio::time::timeout(self.patience, self.events.send(event)).await {
            Ok(Ok(())) => Ok(started.elapsed()),
            Ok(Err(_)) => Err(gone("the caller went away")),
            Err(_) => Err(gone("the caller stopped reading")),
        }
    }

    /// Sends the last event. A request that is over waits for its reader, but not for ever.
    pub(super) async fn last(&self, event: Event) {
        if let Err(error) = self.emit(event).await {
            tracing::debug!(target: TARGET, %error, "chat.last_event.undelivered");
        }
    }
}

fn gone(text: &str) -> Error {
    Error::new(ErrorCode::Cancelled, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_mins(1);

    fn token() -> Event {
        Event::Token(String::new())
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_reader_does_not_pin_a_request() {
        let (sender, reader) = mpsc::channel(1);
        let outlet = Outlet::new(sender, PATIENCE);
        assert_eq!(outlet.emit(token()).await.unwrap(), Duration::ZERO);
        let started = Instant::now();
        outlet.last(token()).await;
        assert_eq!(started.elapsed(), PATIENCE);
        assert!(outlet.emit(token()).await.unwrap_err().message.contains("stopped reading"));
        drop(reader);
        assert!(outlet.emit(token()).await.unwrap_err().message.contains("went away"));
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_for_a_slow_reader_is_told() {
        let (sender, mut reader) = mpsc::channel(1);
        let outlet = Outlet::new(sender, PATIENCE);
        outlet.emit(token()).await.unwrap();
        let read = async {
            tokio::time::sleep(Duration::from_secs(7)).await;
            reader.recv().await
        };
        let (waited, _) = tokio::join!(outlet.emit(token()), read);
        assert_eq!(waited.unwrap().as_secs(), 7);
    }
}
