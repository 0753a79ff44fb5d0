//! What the sources returned, put in order: masked, with unique titles, ranked, and cut down to what the
//! model sees.

use std::borrow::Cow;
use std::sync::Arc;

use super::event::{Citation, Source, SourceInfo};
use super::stage::Stage;
use super::titles::Titles;
use super::watch::Watch;
use crate::citations::{self, Annotated};
use crate::dedupe::Distinct;
use crate::mask::mask;
use crate::prompt::Excerpt;
use crate::rerank::{self, Candidate, External, Ranked};
use crate::retrieve::Outcome;
use crate::space::Held;

/// More text than this is worked on in a thread of its own, so that other requests are not held up.
const INLINE_TEXT: usize = 128 * 1024;

/// Documents of all sources in the order of the request.
#[derive(Debug, Default, Clone)]
pub(super) struct Found {
    pub(super) sources: Vec<Source>,
    origins: Vec<usize>,
    scores: Vec<f64>,
    /// How much the record of each source of the request speaks for it.
    pub(super) standings: Vec<f64>,
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

impl Selection {
    /// How many documents have a number to be cited by, if they have any.
    pub(super) fn numbers(&self) -> Option<u32> {
        self.is_ranked.then(|| u32::try_from(self.kept.len()).unwrap_or(u32::MAX))
    }
}

/// Masks the secrets in all titles and texts, before anybody sees them.
pub(super) async fn masked(mut outcomes: Vec<Outcome>) -> Vec<Outcome> {
    let bytes: usize =
        outcomes.iter().flat_map(|outcome| &outcome.documents).map(|doc| doc.content.len()).sum();
    if bytes <= INLINE_TEXT {
        outcomes.iter_mut().for_each(mask_outcome);
        return outcomes;
    }
    let masking = tokio::task::spawn_blocking(move || {
        outcomes.iter_mut().for_each(mask_outcome);
        outcomes
    });
    // Only a fault of ours ends it early; then no text is better than one that was not looked at.
    masking.await.unwrap_or_default()
}

fn mask_outcome(outcome: &mut Outcome) {
    let mut masked_secrets = 0;
    for document in &mut outcome.documents {
        for text in [&mut document.title, &mut document.content] {
            let masked = mask(text);
            for (kind, count) in &masked.found {
                masked_secrets += count;
                let count = u64::try_from(*count).unwrap_or(u64::MAX);
                metrics::counter!("syfthub_secrets_masked_total", "kind" => *kind).increment(count);
            }
            if let Cow::Owned(masked) = masked.text {
                *text = masked;
            }
        }
    }
    if masked_secrets > 0 {
        // Not named after what it counts: fields with such names are blotted out.
        tracing::warn!(target: super::TARGET, path = outcome.path, count = masked_secrets, "chat.secrets.masked");
    }
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

    /// Ranks all documents against the prompt, leaves out what says the same as a better one, and keeps
    /// the best `top_k`; when ranking is not possible, the best by the sources' own scores.
    pub(super) async fn select(
        self,
        prompt: &str,
        top_k: usize,
        external: Option<&External>,
        watch: &Watch,
    ) -> (Self, Selection) {
        let stage = watch.enter(Stage::Rerank);
        stage.size("documents", self.sources.len());
        let (found, ranked) = stage.over(self.rank_all(prompt)).await;
        let Some(mut ranked) = ranked else {
            let selection = found.by_own_score(top_k);
            return (found, selection);
        };
        if let Some(external) = external {
            let text = |index: usize| found.sources[index].content.as_str();
            match stage.over(external.rank(prompt, &ranked, text)).await {
                Ok(order) => ranked = order,
                Err(error) if error.is_known() => {}
                Err(error) => tracing::warn!(target: super::TARGET, %error, "chat.reranking.external_failed"),
            }
        }
        drop(stage);
        let stage = watch.enter(Stage::Dedupe);
        let kept = stage.within(|| found.distinct(&ranked, top_k));
        stage.size("documents", ranked.len());
        stage.size("kept", kept.len());
        (found, Selection { kept, is_ranked: true })
    }

    async fn rank_all(self, prompt: &str) -> (Self, Option<Vec<Ranked>>) {
        let bytes = self.bytes();
        if !(INLINE_TEXT..=rerank::MAX_TEXT).contains(&bytes) {
            let ranked = self.rank(prompt);
            return (self, ranked);
        }
        let shared = Arc::new(self);
        let (found, prompt) = (Arc::clone(&shared), prompt.to_owned());
        let ranked = tokio::task::spawn_blocking(move || found.rank(&prompt)).await;
        (Arc::unwrap_or_clone(shared), ranked.ok().flatten())
    }

    fn rank(&self, prompt: &str) -> Option<Vec<Ranked>> {
        let candidates: Vec<Candidate<'_>> = self
            .sources
            .iter()
            .zip(self.origins.iter().zip(&self.scores))
            .map(|(source, (origin, score))| Candidate {
                source: *origin,
                title: &source.title,
                content: &source.content,
                score: *score,
                standing: self.standings.get(*origin).copied().unwrap_or(0.0),
            })
            .collect();
        let ranked = rerank::rank(prompt, &candidates, candidates.len());
        ranked
            .inspect_err(|error| tracing::warn!(target: super::TARGET, %error, "chat.reranking.failed"))
            .ok()
    }

    /// The best `top_k` that differ. Only as many are compared as it takes.
    fn distinct(&self, ranked: &[Ranked], top_k: usize) -> Vec<usize> {
        let mut distinct = Distinct::default();
        let differs = |index: &usize| distinct.keep(&self.sources[*index].content);
        ranked.iter().map(|ranked| ranked.index).filter(differs).take(top_k).collect()
    }

    fn by_own_score(&self, top_k: usize) -> Selection {
        let mut kept: Vec<usize> = (0..self.sources.len()).collect();
        kept.sort_by(|a, b| self.scores[*b].total_cmp(&self.scores[*a]).then(a.cmp(b)));
        kept.truncate(top_k);
        Selection { kept, is_ranked: false }
    }

    /// Bytes of all texts.
    pub(super) fn bytes(&self) -> usize {
        self.sources.iter().map(|source| source.content.len()).sum()
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

    /// What the numbers of the kept documents stand for, and the parts of them that an answer rests on.
    pub(super) fn citations(&self, selection: &Selection, answer: &Annotated) -> Vec<Citation> {
        let citation = |(rank, index): (usize, &usize)| {
            let (number, source) = (rank + 1, &self.sources[*index]);
            let cites =
                |numbers: &Vec<u32>| numbers.iter().any(|cited| usize::try_from(*cited) == Ok(number));
            let claims = answer.markers.iter().zip(&answer.covered).filter(|(numbers, _)| cites(numbers));
            let claims = claims.filter_map(|(_, range)| answer.clean.get(range.clone()));
            let passage = citations::passage(&source.content, claims);
            Citation { number, path: source.path.clone(), title: source.title.clone(), passage }
        };
        selection.kept.iter().enumerate().map(citation).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(documents: &[(String, f64)]) -> Found {
        let mut found = Found::default();
        for (index, (content, score)) in documents.iter().enumerate() {
            let source =
                Source { title: String::new(), path: format!("a/{index}"), content: content.clone() };
            found.sources.push(source);
            found.origins.push(0);
            found.scores.push(*score);
        }
        found
    }

    fn kept_texts(documents: &[(String, f64)], top_k: usize) -> Vec<String> {
        let found = found(documents);
        let ranked = found.rank("alpha beta").unwrap();
        found.distinct(&ranked, top_k).into_iter().map(|index| found.sources[index].content.clone()).collect()
    }

    #[test]
    fn a_near_duplicate_makes_room_for_another_document() {
        let text = "alpha beta one two three four five six seven eight nine ten";
        let documents = [(text.to_owned(), 0.9), (format!("{text}!"), 0.8), ("gamma delta".to_owned(), 0.1)];
        assert_eq!(kept_texts(&documents, 2), [text, "gamma delta"]);
    }

    proptest! {
        #[test]
        fn the_order_of_the_documents_does_not_matter_where_scores_differ(
            texts in prop::collection::vec("[a-d]{1,2}( [a-d]{1,2}){0,8}", 1..10),
            turn in 0_usize..10,
            top_k in 1_usize..6,
        ) {
            let mut documents: Vec<(String, f64)> =
                texts.into_iter().enumerate().map(|(index, text)| (text, 0.9 - index as f64 / 50.0)).collect();
            let first = kept_texts(&documents, top_k);
            prop_assert!(!first.is_empty());
            let turn = turn % documents.len();
            documents.rotate_left(turn);
            prop_assert_eq!(kept_texts(&documents, top_k), first);
        }
    }
}
