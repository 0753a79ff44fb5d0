//! Search over what everybody may see: the database gives the postings of the query's words, this process ranks.

use std::collections::{HashMap, HashSet};

use syfthub_domain::{EndpointId, EndpointType, Error, Result};
use syfthub_store::endpoints::{self, EndpointWithOwner};
use syfthub_store::search::{self, Fact, Posting, ReadOf, Term};

use super::Endpoints;
use super::ranking::{self, MAX_WORDS, Wanted};

/// Corrections that are tried for a word that nobody uses.
const CORRECTIONS: usize = 3;
/// Words of one query that are corrected at most: each costs a statement and thousands of comparisons.
const MAX_CORRECTED: usize = 3;
/// Longer words that stand for a word of the query which they begin with.
const LONGER_WORDS: u32 = 6;
/// Postings that are read of a word of the query. Of a more frequent word the others weigh less than all of these.
const OF_A_WORD: u32 = 1_000;
/// The same of a word that only stands for one.
const OF_A_STAND_IN: u32 = 300;
/// Endpoints whose score is completed with what frequent words weigh there.
const COMPLETED: usize = 100;
/// Endpoints of the rarest frequent word that are completed too: the others may weigh much there.
const COMPLETED_OF_RAREST: usize = 300;
/// Endpoints that are looked up at once to see whether they are listed and which of equal ones is first.
const LOOKED_UP: usize = 20;
/// Endpoints that are looked up in all.
const MAX_LOOKED_UP: usize = 400;

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
        let _turn = self.searching.acquire().await.map_err(Error::internal)?;
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
        let beginnings: Vec<&str> =
            words.iter().map(|(_, word)| word.as_str()).filter(|word| word.chars().count() >= 3).collect();
        let longer = search::terms_beginning_with(&self.db, &beginnings, LONGER_WORDS).await?;
        let (mut wanted, mut terms, mut corrected) = (Vec::new(), Vec::new(), 0);
        for (rarity, word) in words {
            let mut found: Vec<(Term, f64)> =
                known.get(&word).map(|term| (term.clone(), 1.0)).into_iter().collect();
            let is_known = !found.is_empty();
            found.extend(longer.iter().filter(|(beginning, _)| *beginning == word).map(|(_, term)| {
                let likeness = ranking::as_beginning(&word, &term.term);
                (term.clone(), likeness)
            }));
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
        let read: Vec<(i64, u32)> = terms.iter().map(|term| (term.id, read_of(wanted, term))).collect();
        let cut = || terms.iter().filter(|term| term.documents > i64::from(read_of(wanted, term)));
        // A word that only stands for another one counts little where it is not among the heaviest.
        let frequent: Vec<&Term> = cut().filter(|term| read_of(wanted, term) == OF_A_WORD).collect();
        let mut known = search::postings(&self.db, &read, of).await?;
        let mut scores = ranking::scores(wanted, &known);
        if !frequent.is_empty() {
            self.complete(&frequent, &mut known, &scores).await?;
            scores = ranking::scores(wanted, &known);
        }
        drop(known);
        let shortlist = ranking::best(&scores, MAX_LOOKED_UP);
        let is_cut = cut().next().is_some() || scores.len() > shortlist.len();
        let best = self.listed(&shortlist, kind, top_k).await?;
        Ok(Ranked { best, is_cut })
    }

    /// Reads the weights of frequent words in the endpoints that are best without them, and in the heaviest ones of
    /// the rarest of them: two words that are frequent may each weigh too little there to be among those read.
    async fn complete(
        &self,
        cut: &[&Term],
        known: &mut Vec<Posting>,
        scores: &[(EndpointId, f64)],
    ) -> Result<()> {
        let mut ids: HashSet<EndpointId> =
            ranking::best(scores, COMPLETED).into_iter().map(|(id, _)| id).collect();
        if let Some(rarest) =
            cut.iter().min_by_key(|term| (term.documents, term.id)).filter(|_| cut.len() > 1)
        {
            let heaviest = known.iter().filter(|posting| posting.term_id == rarest.id);
            ids.extend(heaviest.take(COMPLETED_OF_RAREST).map(|posting| posting.endpoint_id));
        }
        let had: HashSet<(i64, EndpointId)> = known
            .iter()
            .filter(|posting| ids.contains(&posting.endpoint_id))
            .map(|posting| (posting.term_id, posting.endpoint_id))
            .collect();
        let pairs = cut.iter().flat_map(|term| ids.iter().map(|id| (term.id, *id)));
        let missing: Vec<(i64, EndpointId)> = pairs.filter(|pair| !had.contains(pair)).collect();
        known.extend(search::weights(&self.db, &missing).await?);
        Ok(())
    }

    /// The first `top_k` of those that are listed and of the type; of equal ones by stars, then newest. `best` is in
    /// the order of the scores, so that a few are looked up first, and more only if these are not enough.
    async fn listed(
        &self,
        best: &[(EndpointId, f64)],
        kind: Option<EndpointType>,
        top_k: usize,
    ) -> Result<Vec<(f64, EndpointId)>> {
        let mut found: Vec<(f64, Fact)> = Vec::new();
        let mut rest = best;
        while found.len() < top_k && !rest.is_empty() {
            let mut count = rest.len().min(LOOKED_UP.max(top_k));
            // Whoever is equal to the last one may have more stars.
            while count < rest.len() && rest[count].1.total_cmp(&rest[count - 1].1).is_eq() {
                count += 1;
            }
            let (now, later) = rest.split_at(count);
            let scores: HashMap<EndpointId, f64> = now.iter().copied().collect();
            let ids: Vec<EndpointId> = now.iter().map(|(id, _)| *id).collect();
            let facts = search::facts(&self.db, &ids, kind).await?;
            found.extend(facts.into_iter().filter_map(|fact| Some((*scores.get(&fact.id)?, fact))));
            rest = later;
        }
        found.retain(|(score, _)| *score > 0.0);
        found.sort_by(|(a, x), (b, y)| {
            b.total_cmp(a)
                .then_with(|| y.stars_count.cmp(&x.stars_count))
                .then_with(|| y.updated_at.cmp(&x.updated_at))
                .then_with(|| x.id.cmp(&y.id))
        });
        found.truncate(top_k);
        Ok(found.into_iter().map(|(score, fact)| (score, fact.id)).collect())
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

/// How many postings of a word are read: most of those that stand for a word of the query before all others.
fn read_of(wanted: &[Wanted], term: &Term) -> u32 {
    let is_first = |word: &Wanted| word.stand_ins.first().is_some_and(|(id, _)| *id == term.id);
    if wanted.iter().any(is_first) { OF_A_WORD } else { OF_A_STAND_IN }
}
