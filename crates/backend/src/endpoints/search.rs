//! Search over what everybody may see: the database finds candidates, this process ranks them.

use std::cmp::Reverse;
use std::collections::HashMap;

use syfthub_domain::{EndpointId, EndpointType, Result};
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
        let (wanted, terms) = self.weigh(words).await?;
        let candidates = endpoints::search_candidates(&self.db, &wanted, kind).await?;
        let mut scored: Vec<(f64, &Candidate)> = candidates
            .iter()
            .map(|candidate| (ranking::score(&terms, &document(candidate)), candidate))
            .collect();
        scored.retain(|(score, _)| *score > 0.0);
        scored.sort_by(|(a, x), (b, y)| {
            b.total_cmp(a)
                .then_with(|| Reverse(x.stars_count).cmp(&Reverse(y.stars_count)))
                .then_with(|| Reverse(x.updated_at).cmp(&Reverse(y.updated_at)))
                .then_with(|| x.id.cmp(&y.id))
        });
        scored.truncate(top_k);
        self.read(&scored).await
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

    async fn read(&self, scored: &[(f64, &Candidate)]) -> Result<Vec<Hit>> {
        let ids: Vec<EndpointId> = scored.iter().map(|(_, candidate)| candidate.id).collect();
        let mut rows = endpoints::find_by_ids(&self.db, &ids).await?;
        let hits = scored.iter().filter_map(|(score, candidate)| {
            let place = rows.iter().position(|row| row.endpoint.id == candidate.id)?;
            Some(Hit { item: rows.swap_remove(place), score: *score })
        });
        // Between the two reads somebody may have hidden one.
        Ok(hits.filter(|hit| hit.item.is_listed()).collect())
    }
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
