//! How fast a model speaks.

use tokio::time::Instant;

use crate::generate::Usage;

/// The pieces of one answer.
#[derive(Debug, Default)]
pub(super) struct Speed {
    pieces: u32,
    /// When the first and the last piece came.
    span: Option<(Instant, Instant)>,
}

impl Speed {
    /// One more piece came.
    pub(super) fn piece(&mut self) {
        let now = Instant::now();
        self.pieces = self.pieces.saturating_add(1);
        self.span.get_or_insert((now, now)).1 = now;
    }

    /// How many came.
    pub(super) fn pieces(&self) -> u32 {
        self.pieces
    }

    /// Tokens per second after the first piece, by the count that the model reports, else one for each piece; `None`
    /// for an answer in one piece.
    pub(super) fn tokens_per_second(&self, usage: Option<Usage>) -> Option<f64> {
        let (first, last) = self.span?;
        let pieces = f64::from(self.pieces);
        let reported = usage.map(|usage| usage.completion).filter(|tokens| *tokens > 0);
        let tokens = reported.map_or(pieces, |tokens| tokens as f64);
        // What the first piece brought took no part of the time that is measured.
        let later = tokens * (pieces - 1.0) / pieces;
        let seconds = (last - first).as_secs_f64();
        (self.pieces > 1 && seconds > 0.0).then(|| later / seconds)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn said(pieces: u32) -> Speed {
        let mut speed = Speed::default();
        for _ in 0..pieces {
            tokio::time::advance(Duration::from_millis(100)).await;
            speed.piece();
        }
        speed
    }

    #[tokio::test(start_paused = true)]
    async fn pieces_are_tokens_unless_the_model_counts_them() {
        let rate = |speed: &Speed, tokens: Option<u64>| {
            let usage = tokens.map(|completion| Usage { prompt: 1, completion, total: 1 + completion });
            speed.tokens_per_second(usage).map(f64::round)
        };
        let speed = said(11).await;
        assert_eq!(rate(&speed, None), Some(10.0));
        assert_eq!(rate(&speed, Some(22)), Some(20.0));
        assert_eq!(rate(&speed, Some(0)), Some(10.0));
    }

    #[tokio::test(start_paused = true)]
    async fn one_piece_has_no_speed() {
        assert_eq!(said(1).await.tokens_per_second(None), None);
        assert_eq!(Speed::default().tokens_per_second(None), None);
    }
}
