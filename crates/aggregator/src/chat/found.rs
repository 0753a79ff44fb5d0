//! What the sources returned, put in order: unique titles, ranking, and the excerpts for the model.

use std::sync::Arc;

use super::event::{Citation, Source, SourceInfo};
use super::titles::Titles;
use crate::prompt::Excerpt;
use crate::rerank::{self, Candidate};
use crate::retrieve::Outcome;
use crate::space::Held;

/// More text than this is ranked on a thread of its own, so that other requests are not held up.
const INLINE_TEXT: usize = 128 * 1024;

/// Documents of all sources in the order of the request.
#[derive(Debug, Default, Clone)]
pub(super) struct Found {
    pub(super) sources: Vec<Source>,
    origins: Vec<usize>,
    scores: Vec<f64>,
    /// The memory of all this.
    pub(super) held: Arc<Vec<Held>>,
}

/// Which documents the model sees, best first, as positions in [`Found::sources`].
#[derive(Debug, Default)]
pub(super) struct Selection {
    pub(super) kept: Vec<usize>,
    /// Whether a common ranking was possible.
    pub(super) is_ranked: bool,
}

impl Found {
    /// Splits outcomes, which are in the order of the request, into documents and reports.
    pub(super) fn collect(outcomes: Vec<Outcome>) -> (Self, Vec<SourceInfo>) {
        let mut found = Self::default();
        let mut titles = Titles::default();
        let mut infos = Vec::with_capacity(outcomes.len());
        let mut held = Vec::with_capacity(outcomes.len());
        for outcome in outcomes {
            infos.push(SourceInfo {
                path: outcome.path.clone(),
                documents_retrieved: outcome.documents.len(),
                status: outcome.status,
                error_message: outcome.error_message,
            });
            held.extend(outcome.held);
            for document in outcome.documents {
                let title = titles.unique(&document.title);
                found.sources.push(Source { title, path: outcome.path.clone(), content: document.content });
                found.origins.push(outcome.index);
                found.scores.push(document.score);
            }
        }
        found.held = Arc::new(held);
        (found, infos)
    }

    /// Ranks all documents against the prompt and keeps the best `top_k`; when that is not possible,
    /// the best by the sources' own scores.
    pub(super) async fn select(self, prompt: &str, top_k: usize) -> (Self, Selection) {
        let bytes: usize = self.sources.iter().map(|source| source.content.len()).sum();
        if !(INLINE_TEXT..=rerank::MAX_TEXT).contains(&bytes) {
            let selection = self.rank(prompt, top_k);
            return (self, selection);
        }
        let shared = Arc::new(self);
        let (found, prompt) = (Arc::clone(&shared), prompt.to_owned());
        let ranked = tokio::task::spawn_blocking(move || found.rank(&prompt, top_k)).await;
        let selection = ranked.unwrap_or_else(|_| shared.by_own_score(top_k));
        (Arc::unwrap_or_clone(shared), selection)
    }

    fn rank(&self, prompt: &str, top_k: usize) -> Selection {
        let candidates: Vec<Candidate<'_>> = self
            .sources
            .iter()
            .zip(self.origins.iter().zip(&self.scores))
            .map(|(source, (origin, score))| Candidate {
                source: *origin,
                title: &source.title,
                content: &source.content,
                score: *score,
            })
            .collect();
        match rerank::rank(prompt, &candidates, top_k) {
            Ok(ranked) => {
                Selection { kept: ranked.iter().map(|ranked| ranked.index).collect(), is_ranked: true }
            }
            Err(error) => {
                tracing::warn!(target: super::TARGET, %error, "chat.reranking.failed");
                self.by_own_score(top_k)
            }
        }
    }

    fn by_own_score(&self, top_k: usize) -> Selection {
        let mut kept: Vec<usize> = (0..self.sources.len()).collect();
        kept.sort_by(|a, b| self.scores[*b].total_cmp(&self.scores[*a]).then(a.cmp(b)));
        kept.truncate(top_k);
        Selection { kept, is_ranked: false }
    }

    /// The kept documents as the prompt needs them.
    pub(super) fn excerpts(&self, selection: &Selection) -> Vec<Excerpt<'_>> {
        let excerpt = |index: &usize| {
            let source = &self.sources[*index];
            let score = Some(self.scores[*index]).filter(|score| score.is_finite());
            Excerpt { path: &source.path, title: &source.title, content: &source.content, score }
        };
        selection.kept.iter().map(excerpt).collect()
    }

    /// What the numbers of the kept documents stand for.
    pub(super) fn citations(&self, selection: &Selection) -> Vec<Citation> {
        let citation = |(rank, index): (usize, &usize)| {
            let source = &self.sources[*index];
            Citation { number: rank + 1, path: source.path.clone(), title: source.title.clone() }
        };
        selection.kept.iter().enumerate().map(citation).collect()
    }
}
