//! From the reports of the aggregator to the figures.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde_json::Value;
use syfthub_domain::{EndpointPath, Error, ErrorCode, Result, Timestamp, UserId};
use syfthub_store::endpoints::{self, EndpointWithOwner};
use syfthub_store::usage::{self, Amount, Key};
use uuid::Uuid;

use super::{Usage, hour_of};
use crate::endpoints::connections::{self, address};
use crate::endpoints::mapper;

/// Most reports of one batch.
pub(crate) const MAX_BATCH: usize = 500;
/// A report may be so late; an earlier moment is a wrong clock.
const LATEST: Duration = Duration::from_hours(24);
/// Greatest number that is taken for one report, so that sums stay far from their end.
const MOST: u64 = 1 << 40;

/// One report: calls of one endpoint that are alike.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    pub(crate) at: Timestamp,
    /// `owner/slug`.
    pub(crate) path: String,
    /// The address that was called.
    pub(crate) url: String,
    pub(crate) part: &'static str,
    pub(crate) outcome: &'static str,
    pub(crate) caller: Option<UserId>,
    pub(crate) amount: Amount,
}

/// A number of a report as the figures keep it.
pub(crate) fn bounded(number: u64) -> i64 {
    i64::try_from(number.min(MOST)).unwrap_or(i64::MAX)
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) counted: usize,
    pub(crate) repeated: bool,
}

impl Usage {
    /// Adds a batch to the figures, once. A chat names endpoints and addresses as it likes, so only what is published
    /// at the address that was called counts for its owner.
    pub(crate) async fn record(&self, batch: &str, reports: Vec<Report>) -> Result<Recorded> {
        let bad = |text: &str| Error::new(ErrorCode::BadRequest, text);
        let batch = Uuid::parse_str(batch).map_err(|_| bad("a batch is named by a UUID"))?;
        if reports.len() > MAX_BATCH {
            return Err(bad("a batch has at most 500 entries"));
        }
        let now = self.clock.now();
        let published = self.published(&reports).await?;
        let mut amounts: BTreeMap<Key, Amount> = BTreeMap::new();
        let mut counted = 0;
        for report in reports {
            let Some(endpoint) = published.get(&report.path).filter(|item| is_at(item, &report.url)) else {
                continue;
            };
            counted += 1;
            let key = Key {
                hour: hour_of(report.at.max(now.minus(LATEST)).min(now)),
                owner: endpoint.endpoint.user_id,
                slug: endpoint.endpoint.slug.as_str().to_owned(),
                caller: report.caller,
                part: report.part,
                outcome: report.outcome,
            };
            add(amounts.entry(key).or_default(), report.amount);
        }
        let mut tx = self.db.begin().await?;
        let is_new = usage::remember_batch(&mut tx, &batch.to_string(), now).await?;
        if is_new && !amounts.is_empty() {
            usage::add(&mut tx, &amounts).await?;
        }
        tx.commit().await?;
        Ok(Recorded { counted: if is_new { counted } else { 0 }, repeated: !is_new })
    }

    /// The endpoints that the reports name, by the path of the report.
    async fn published(&self, reports: &[Report]) -> Result<HashMap<String, EndpointWithOwner>> {
        let mut paths: Vec<EndpointPath> =
            reports.iter().filter_map(|report| EndpointPath::parse(&report.path)).collect();
        paths.sort();
        paths.dedup();
        let found = endpoints::resolve_many(&self.db, &paths).await?;
        let found: HashMap<String, EndpointWithOwner> =
            found.into_iter().map(|item| (item.path(), item)).collect();
        let named = reports.iter().filter_map(|report| {
            let path = EndpointPath::parse(&report.path)?.to_string();
            Some((report.path.clone(), found.get(&path)?.clone()))
        });
        Ok(named.collect())
    }
}

fn add(to: &mut Amount, more: Amount) {
    to.requests += more.requests;
    to.prompt_tokens += more.prompt_tokens;
    to.completion_tokens += more.completion_tokens;
    to.documents += more.documents;
    to.latency_ms += more.latency_ms;
    to.longest_ms = to.longest_ms.max(more.longest_ms);
}

/// Whether one of an endpoint's connections is at this address.
fn is_at(item: &EndpointWithOwner, called: &str) -> bool {
    let Some(called) = address(called) else { return false };
    let shown = connections::show(mapper::items(&item.endpoint.connect), item.owner_domain.as_deref());
    let url =
        |connection: &Value| connection.pointer("/config/url").and_then(Value::as_str).and_then(address);
    shown.iter().filter_map(url).any(|published| published == called)
}
