//! Search over what everybody may see: the database gives the postings of the query's words, this process ranks.

use std::collections::{HashMap, HashSet};

use syfthub_domain::{EndpointId, EndpointType, Result};
use syfthub_store::endpoints::{self, EndpointWithOwner};
use syfthub_store::search::{self, Posting, ReadOf, Term};

use super::Endpoints;
use super::ranking::{self, MAX_WORDS, Wanted};

/// Corrections that are tried for a word that nobody uses.
const CORRECTIONS: usize = 3;
/// Words of one query that are corrected at most: each costs a statement and thousands of comparisons.
const MAX_CORRECTED: usize = 3;
/// Longer words that stand for a word of the query which they begin with.
const LONGER_WORDS: u32 = 6;
/// Postings that are read of each word. Of a more frequent word the others weigh less than all of these.
const PER_WORD: u32 = 300;
/// Pairs of frequent words whose endpoints are looked for together.
const MAX_PAIRS: usize = 3;
/// Postings of the rarer word of a pair that are looked at.
const PAIRED: u32 = 3_000;
/// Endpoints whose exact score is computed.
const SHORTLIST: usize = 400;

/// An endpoint and how well it fits, 0 to 1.
#[derive(Debug)]
pub(crate) struct Hit {
    pub item: EndpointWithOwner,
    pub score: f64,
}

/// What one reading of the index gives.
#[derive(Debug)]
struct Ranked {
    /// Best first.
    best: Vec<(f64, EndpointId)>,
    /// Whether anything was left out before it was known what is listed and of the type.
    is_cut: bool,
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
        let (wanted, terms) = self.look_up(words).await?;
        if terms.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = self.rank(&wanted, &terms, ReadOf::Indexed, kind, top_k).await?;
        if found.best.len() < top_k && found.is_cut {
            // What fits best is switched off or of another type, and what was left out may be neither.
            found = self.rank(&wanted, &terms, ReadOf::Listed(kind), kind, top_k).await?;
        }
        self.read(&found.best).await
    }

    /// Which words of the index stand for the words of the query.
    async fn look_up(&self, words: Vec<String>) -> Result<(Vec<Wanted>, Vec<Term>)> {
        let mut asked = words.clone();
        asked.push(String::new()); // stands for all endpoints
        let known = search::terms(&self.db, &asked).await?;
        let count = known.get("").map_or(0, |all| all.documents);
        let mut words: Vec<(f64, String)> = words
            .into_iter()
            .map(|word| (ranking::rarity(count, known.get(&word).map_or(1, |term| term.documents)), word))
            .collect();
        words.sort_by(|(a, _), (b, _)| b.total_cmp(a)); // stable: equal ones as they were written
        words.truncate(MAX_WORDS);
        let (mut wanted, mut terms, mut corrected) = (Vec::new(), Vec::new(), 0);
        for (rarity, word) in words {
            let mut found: Vec<(Term, f64)> =
                known.get(&word).map(|term| (term.clone(), 1.0)).into_iter().collect();
            let is_known = !found.is_empty();
            if word.chars().count() >= 3 {
                let longer = search::terms_beginning_with(&self.db, &word, LONGER_WORDS).await?;
                found.extend(longer.into_iter().map(|term| {
                    let likeness = ranking::as_beginning(&word, &term.term);
                    (term, likeness)
                }));
            }
            if !is_known && corrected < MAX_CORRECTED {
                corrected += 1;
                let similar = search::similar_terms(&self.db, &word).await?;
                found.extend(similar.into_iter().take(CORRECTIONS).map(|term| {
                    let likeness = ranking::as_correction(search::distance(&word, &term.term));
                    (term, likeness)
                }));
            }
            let rarity = match (is_known, found.iter().map(|(term, _)| term.documents).max()) {
                (false, Some(holding)) => ranking::rarity(count, holding),
                _ => rarity,
            };
            wanted.push(Wanted {
                rarity,
                stand_ins: found.iter().map(|(term, likeness)| (term.id, *likeness)).collect(),
            });
            terms.extend(found.into_iter().map(|(term, _)| term));
        }
        terms.sort_by_key(|term| term.id);
        terms.dedup_by_key(|term| term.id);
        Ok((wanted, terms))
    }

    /// The best `top_k`, best first.
    async fn rank(
        &self,
        wanted: &[Wanted],
        terms: &[Term],
        of: ReadOf,
        kind: Option<EndpointType>,
        top_k: usize,
    ) -> Result<Ranked> {
        let ids: Vec<i64> = terms.iter().map(|term| term.id).collect();
        let mut known = search::postings(&self.db, &ids, of, PER_WORD).await?;
        let cut: Vec<&Term> = terms.iter().filter(|term| term.documents > i64::from(PER_WORD)).collect();
        let together = self.together(wanted, &cut).await?;
        let mut scores = ranking::scores(wanted, &known);
        if !cut.is_empty() {
            self.complete(wanted, &cut, &together, &mut known, &mut scores).await?;
        }
        let shortlist = ranking::best(&scores, SHORTLIST);
        let is_cut = !cut.is_empty() || scores.len() > shortlist.len();
        let facts = search::facts(&self.db, &shortlist, kind).await?;
        let mut ranked: Vec<_> = facts
            .into_iter()
            .filter_map(|fact| scores.get(&fact.id).filter(|score| **score > 0.0).map(|score| (*score, fact)))
            .collect();
        ranked.sort_by(|(a, x), (b, y)| {
            b.total_cmp(a)
                .then_with(|| y.stars_count.cmp(&x.stars_count))
                .then_with(|| y.updated_at.cmp(&x.updated_at))
                .then_with(|| x.id.cmp(&y.id))
        });
        ranked.truncate(top_k);
        Ok(Ranked { best: ranked.into_iter().map(|(score, fact)| (score, fact.id)).collect(), is_cut })
    }

    /// Endpoints that hold two frequent words of the query: each word alone may weigh too little there to be
    /// among those that were read.
    async fn together(&self, wanted: &[Wanted], cut: &[&Term]) -> Result<Vec<EndpointId>> {
        let mut found = Vec::new();
        for (rare, other) in frequent_pairs(wanted, cut) {
            found.extend(search::together(&self.db, rare, other, PAIRED, PER_WORD).await?);
        }
        Ok(found)
    }

    /// Reads the weights of frequent words where they were not among those read, and scores again.
    async fn complete(
        &self,
        wanted: &[Wanted],
        cut: &[&Term],
        together: &[EndpointId],
        known: &mut Vec<Posting>,
        scores: &mut HashMap<EndpointId, f64>,
    ) -> Result<()> {
        let mut ids = ranking::best(scores, SHORTLIST);
        let seen: HashSet<EndpointId> = ids.iter().copied().collect();
        ids.extend(together.iter().filter(|id| !seen.contains(id)));
        let terms: Vec<i64> = cut.iter().map(|term| term.id).collect();
        let missing = search::weights(&self.db, &terms, &ids).await?;
        let had: HashSet<(i64, EndpointId)> =
            known.iter().map(|posting| (posting.term_id, posting.endpoint_id)).collect();
        known.extend(
            missing.into_iter().filter(|posting| !had.contains(&(posting.term_id, posting.endpoint_id))),
        );
        *scores = ranking::scores(wanted, known);
        Ok(())
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

/// Pairs of frequent words of the query, the rarest first; in each the rarer word is the first.
fn frequent_pairs(wanted: &[Wanted], cut: &[&Term]) -> Vec<(i64, i64)> {
    let best =
        |word: &Wanted| word.stand_ins.iter().max_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(term, _)| *term);
    let mut frequent: Vec<(i64, i64)> = wanted
        .iter()
        .filter_map(|word| {
            let best = best(word)?;
            cut.iter().find(|term| term.id == best).map(|term| (term.documents, term.id))
        })
        .collect();
    frequent.sort_unstable();
    frequent.dedup();
    let mut pairs = Vec::new();
    for (place, (_, rare)) in frequent.iter().enumerate() {
        pairs.extend(frequent[place + 1..].iter().map(|(_, other)| (*rare, *other)));
    }
    pairs.truncate(MAX_PAIRS);
    pairs
}
