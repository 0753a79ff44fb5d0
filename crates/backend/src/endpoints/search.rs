//! Search over what everybody may see: the database finds candidates, this process ranks them.

use std::collections::HashMap;
use std::sync::Arc;

use syfthub_domain::{EndpointId, EndpointType, Error, Result};
use syfthub_store::endpoints::{self, Candidate, EndpointWithOwner};
use syfthub_store::search::{self, Term};

use super::Endpoints;
use super::ranking::{self, Document};

/// Corrections that are tried for a word that nobody uses.
const CORRECTIONS: usize = 2;

/// An endpoint and how well it fits, 0 to 1.
#[derive(Debug)]
pub(crate) struct Hit {
    pub item: EndpointWithOwner,
    pub score: f64,
}

impl Endpoints {
    /// The best `top_k` answers to a query, best first; equal ones by stars, then newest.
    pub(crate) async fn search(
        &self,
        query: &str,
        top_k: usize,
        kind: Option<EndpointType>,
    ) -> Result<Vec<Hit>> {
        let words = ranking::query_terms(query);
        if words.is_empty() {
            return Ok(Vec::new());
        }
        // Taken before anything is read, so that what waits holds nothing but its query.
        let turn = Arc::clone(&self.ranking).acquire_owned().await.map_err(Error::internal)?;
        let (wanted, terms) = self.weigh(words).await?;
        let candidates = endpoints::search_candidates(&self.db, &wanted, kind).await?;
        let ranked = tokio::task::spawn_blocking(move || {
            let _turn = turn; // an asker who goes away does not end the work, so the work holds it
            rank(&terms, &candidates, top_k)
        });
        self.read(&ranked.await.map_err(Error::internal)?).await
    }

    /// Which words to look for, and how telling each word of the query is. A word that occurs nowhere is
    /// looked for in its likely spellings too.
    async fn weigh(&self, words: Vec<String>) -> Result<(Vec<String>, Vec<(String, f64)>)> {
        let count = search::document_count(&self.db).await?;
        let known = search::term_frequencies(&self.db, &words).await?;
        let unknown: Vec<String> = words.iter().filter(|word| !known.contains_key(*word)).cloned().collect();
        let corrections: HashMap<String, Vec<Term>> =
            search::corrections(&self.db, &unknown).await?.into_iter().collect();
        let mut wanted = words.clone();
        let mut terms = Vec::with_capacity(words.len());
        for word in words {
            let holding = if let Some(holding) = known.get(&word) {
                *holding
            } else {
                let similar = corrections.get(&word).map_or(&[][..], Vec::as_slice);
                wanted.extend(similar.iter().take(CORRECTIONS).map(|term| term.term.clone()));
                similar.first().map_or(1, |term| term.documents)
            };
            terms.push((word, ranking::rarity(count, holding)));
        }
        Ok((wanted, terms))
    }

    async fn read(&self, ranked: &[(f64, EndpointId)]) -> Result<Vec<Hit>> {
        let ids: Vec<EndpointId> = ranked.iter().map(|(_, id)| *id).collect();
        let mut rows = endpoints::find_by_ids(&self.db, &ids).await?;
        let hits = ranked.iter().filter_map(|(score, id)| {
            let place = rows.iter().position(|row| row.endpoint.id == *id)?;
            Some(Hit { item: rows.swap_remove(place), score: *score })
        });
        // Between the two reads somebody may have hidden one.
        Ok(hits.filter(|hit| hit.item.is_listed()).collect())
    }
}

/// The best `top_k` candidates, best first; equal ones by stars, then newest. Several hundred texts take a while.
fn rank(terms: &[(String, f64)], candidates: &[Candidate], top_k: usize) -> Vec<(f64, EndpointId)> {
    let mut scored: Vec<(f64, &Candidate)> = candidates
        .iter()
        .map(|candidate| (ranking::score(terms, &document(candidate)), candidate))
        .filter(|(score, _)| *score > 0.0)
        .collect();
    scored.sort_by(|(a, x), (b, y)| {
        b.total_cmp(a)
            .then_with(|| y.stars_count.cmp(&x.stars_count))
            .then_with(|| y.updated_at.cmp(&x.updated_at))
            .then_with(|| x.id.cmp(&y.id))
    });
    scored.truncate(top_k);
    scored.into_iter().map(|(score, candidate)| (score, candidate.id)).collect()
}

fn document(candidate: &Candidate) -> Document<'_> {
    Document {
        name: &candidate.name,
        slug: candidate.slug.as_str(),
        owner: candidate.owner_username.as_str(),
        tags: &candidate.tags,
        description: &candidate.description,
        readme: &candidate.readme,
    }
}
