//! A service of the operator's that ranks documents, in the dialects of Cohere, Jina and TEI.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use syfthub_config::Reranker;
use syfthub_egress::{Client, Error as EgressError, Limits};
use tokio::time::Instant;

use super::Ranked;

/// Most documents that are sent, the best of the built-in ranking.
const MAX_DOCUMENTS: usize = 100;
/// Longest text of one document, in code points; models read no more.
const MAX_CHARS: usize = 4_000;
/// Most that is read of an answer, in bytes.
const MAX_ANSWER: usize = 256 * 1024;

/// Failures in a row after which the service is left alone.
const MAX_FAILURES: u32 = 3;
/// For how long.
const PAUSE: Duration = Duration::from_secs(30);

/// Asks the service.
#[derive(Debug)]
pub(crate) struct External {
    client: Client,
    settings: Reranker,
    health: Mutex<Health>,
}

/// Whether the service is worth asking: nobody should wait for one that is down.
#[derive(Debug, Default)]
struct Health {
    failures: u32,
    rests_until: Option<Instant>,
}

impl Health {
    fn is_resting(&self) -> bool {
        self.rests_until.is_some_and(|until| Instant::now() < until)
    }

    fn record(&mut self, has_failed: bool) {
        self.failures = if has_failed { self.failures.saturating_add(1) } else { 0 };
        // The first call after a pause is a try: when it fails, the next pause begins.
        self.rests_until = (self.failures >= MAX_FAILURES).then(|| Instant::now() + PAUSE);
    }
}

/// Why the service gave no ranking.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The call failed.
    #[error(transparent)]
    Call(#[from] EgressError),
    /// The answer names no document.
    #[error("the answer names none of the documents")]
    Empty,
    /// It failed several times in a row and was not asked.
    #[error("it failed several times in a row and is left alone for now")]
    Resting,
}

impl Failure {
    /// Whether it was told before.
    pub(crate) fn is_known(&self) -> bool {
        matches!(self, Self::Resting)
    }
}

/// `{"results": […]}` of Cohere and Jina, or the bare list of TEI.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Answer {
    Results { results: Vec<Scored> },
    Bare(Vec<Scored>),
}

#[derive(Debug, Deserialize)]
struct Scored {
    index: usize,
    #[serde(alias = "relevance_score")]
    score: f64,
}

impl External {
    /// A client of the service that `settings` name; the operator's word, so no address is refused.
    pub(crate) fn new(settings: Reranker) -> Result<Self, EgressError> {
        let connect = settings.timeout.min(Duration::from_secs(5));
        let limits = Limits { connect, total: settings.timeout, max_body: MAX_ANSWER };
        Ok(Self { client: Client::operator(limits)?, settings, health: Mutex::default() })
    }

    /// Puts `ranked` into the service's order. `text` gives the text of a candidate. What the service does not
    /// name comes last, in the order that it had.
    pub(crate) async fn rank<'a>(
        &self,
        query: &str,
        ranked: &[Ranked],
        text: impl Fn(usize) -> &'a str,
    ) -> Result<Vec<Ranked>, Failure> {
        if self.health().is_resting() {
            count("skipped");
            return Err(Failure::Resting);
        }
        let result = self.ask_for_order(query, ranked, text).await;
        count(if result.is_ok() { "ok" } else { "failed" });
        self.health().record(result.is_err());
        result
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask_for_order<'a>(
        &self,
        query: &str,
        ranked: &[Ranked],
        text: impl Fn(usize) -> &'a str,
    ) -> Result<Vec<Ranked>, Failure> {
        let sent = &ranked[..ranked.len().min(MAX_DOCUMENTS)];
        let texts: Vec<&str> = sent.iter().map(|ranked| start_of(text(ranked.index))).collect();
        let answer = self.ask(&self.body(query, &texts)).await?;
        let (Answer::Results { results: scored } | Answer::Bare(scored)) = answer;
        in_order(ranked, sent.len(), scored).ok_or(Failure::Empty)
    }

    fn body(&self, query: &str, texts: &[&str]) -> Value {
        match &self.settings.model {
            Some(model) => json!({"model": model, "query": query, "documents": texts, "top_n": texts.len()}),
            // TEI has one model, and its own name for the documents.
            None => {
                json!({"query": query, "documents": texts, "texts": texts, "top_n": texts.len(), "truncate": true})
            }
        }
    }

    async fn ask(&self, body: &Value) -> Result<Answer, EgressError> {
        let mut request = self.client.post(self.settings.url.clone()).json(body);
        if let Some(key) = &self.settings.api_key {
            request = request.bearer(key);
        }
        request.send().await?.require_success()?.json_capped(MAX_ANSWER).await
    }
}

fn count(outcome: &'static str) {
    metrics::counter!("syfthub_rerank_external_total", "outcome" => outcome).increment(1);
}

fn start_of(text: &str) -> &str {
    text.char_indices().nth(MAX_CHARS).map_or(text, |(end, _)| &text[..end])
}

/// The documents by the service's scores; each once, whatever the service says.
fn in_order(ranked: &[Ranked], sent: usize, mut scored: Vec<Scored>) -> Option<Vec<Ranked>> {
    scored.retain(|scored| scored.index < sent && scored.score.is_finite());
    scored.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.index.cmp(&b.index)));
    let mut is_placed = vec![false; ranked.len()];
    let mut order = Vec::with_capacity(ranked.len());
    for Scored { index, score } in scored {
        if !std::mem::replace(&mut is_placed[index], true) {
            order.push(Ranked { index: ranked[index].index, relevance: score });
        }
    }
    if order.is_empty() {
        return None;
    }
    order.extend(ranked.iter().zip(is_placed).filter(|(_, is_placed)| !is_placed).map(|(ranked, _)| *ranked));
    Some(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked(indices: &[usize]) -> Vec<Ranked> {
        indices.iter().map(|index| Ranked { index: *index, relevance: 0.5 }).collect()
    }

    fn order(answer: &str) -> Option<Vec<usize>> {
        let (Answer::Results { results: scored } | Answer::Bare(scored)) =
            serde_json::from_str(answer).unwrap();
        let order = in_order(&ranked(&[7, 3, 5]), 3, scored)?;
        Some(order.into_iter().map(|ranked| ranked.index).collect())
    }

    #[test]
    fn both_dialects_are_read() {
        let results = r#"{"id":"x","results":[{"index":2,"relevance_score":0.9,"document":{"text":"x"}},{"index":0,"relevance_score":0.1}]}"#;
        assert_eq!(order(results), Some(vec![5, 7, 3]));
        assert_eq!(order(r#"[{"index":1,"score":-3.5},{"index":0,"score":2}]"#), Some(vec![7, 3, 5]));
    }

    #[test]
    fn a_lying_service_neither_adds_nor_repeats_documents() {
        let lies = r#"[{"index":9,"score":1},{"index":1,"score":0.5},{"index":1,"score":0.9}]"#;
        assert_eq!(order(lies), Some(vec![3, 7, 5]));
        assert_eq!(order("[]"), None);
        assert_eq!(order(r#"{"results":[{"index":3,"score":1}]}"#), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_keeps_failing_rests_and_is_tried_again() {
        let mut health = Health::default();
        for _ in 0..MAX_FAILURES {
            assert!(!health.is_resting());
            health.record(true);
        }
        assert!(health.is_resting());
        tokio::time::advance(PAUSE).await;
        assert!(!health.is_resting());
        health.record(true);
        assert!(health.is_resting(), "one failed try is enough");
        health.record(false);
        assert!(!health.is_resting());
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(start_of("ä").len(), 2);
        assert_eq!(start_of(&"ä".repeat(MAX_CHARS + 1)).chars().count(), MAX_CHARS);
    }
}
