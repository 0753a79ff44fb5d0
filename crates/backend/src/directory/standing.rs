//! How endpoints have done lately, and what the chat services say of those that keep failing.
//!
//! A chat names paths and addresses as it likes, so nothing is said or taken of an endpoint unless it is published at
//! the address, and for the tenant, that was called.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use syfthub_domain::{EndpointId, EndpointPath, Error, ErrorCode, Result, SharedClock};
use syfthub_proto::directory::{
    BreakerState, DescribeEndpointsRequest, DescribeEndpointsResponse, Description, Place,
    ReportBreakersRequest, ReportBreakersResponse,
};
use syfthub_store::Db;
use syfthub_store::endpoints::{self, EndpointWithOwner};
use syfthub_store::standing::{self, Breaker, BreakerLine, CallLine, LookLine};
use uuid::Uuid;

use crate::endpoints::connections::{self, Reach};
use crate::endpoints::mapper;
use crate::parts::Parts;

/// Most places of one call.
const MAX_PLACES: usize = 50;
/// Most breakers of one report.
const MAX_BREAKERS: usize = 500;
/// How long a report counts. Reporters repeat what stays true every 30 seconds.
const LIFE: Duration = Duration::from_secs(90);
/// How far back looks count.
const LOOKS: Duration = Duration::from_hours(24 * 7);
/// How far back calls count.
const CALLS: Duration = Duration::from_hours(24);

/// The rules of the feature.
#[derive(Debug)]
pub(crate) struct Standings {
    db: Db,
    clock: SharedClock,
}

impl Standings {
    /// Builds the feature.
    #[expect(clippy::unnecessary_wraps, reason = "every feature is built alike")]
    pub(crate) fn build(parts: &Parts) -> Result<Self> {
        Ok(Self { db: parts.db.clone(), clock: parts.clock.clone() })
    }

    /// Writes what a chat service says of endpoints that keep failing.
    pub(crate) async fn report(&self, request: ReportBreakersRequest) -> Result<ReportBreakersResponse> {
        let reporter =
            Uuid::parse_str(&request.reporter).map_err(|_| bad("a reporter is named by a UUID"))?;
        if request.breakers.len() > MAX_BREAKERS {
            return Err(bad("a report has at most 500 breakers"));
        }
        let published =
            self.published(request.breakers.iter().filter_map(|said| said.place.as_ref())).await?;
        let mut breakers: BTreeMap<EndpointId, Breaker> = BTreeMap::new();
        for said in &request.breakers {
            let is_open = match said.state() {
                BreakerState::Open => true,
                BreakerState::HalfOpen => false,
                BreakerState::Unspecified | BreakerState::Closed => {
                    return Err(bad("a breaker of a report is open or half open"));
                }
            };
            let Some((id, reach)) = said.place.as_ref().and_then(|place| find(&published, place)) else {
                continue;
            };
            // A call in another protocol tells nothing about the one that the endpoint speaks.
            if is_openai(&reach.connection_type) != is_openai(&said.connection_type) {
                continue;
            }
            let entry = breakers.entry(id).or_insert(Breaker { is_open, failures: 0 });
            entry.is_open |= is_open;
            entry.failures = entry.failures.max(i64::from(said.failures));
        }
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        standing::replace_breakers(&mut tx, &reporter.to_string(), &breakers, now, now.plus(LIFE)).await?;
        tx.commit().await?;
        Ok(ReportBreakersResponse { taken: u32::try_from(breakers.len()).unwrap_or(u32::MAX) })
    }

    /// What is known of places.
    pub(crate) async fn describe(
        &self,
        request: DescribeEndpointsRequest,
    ) -> Result<DescribeEndpointsResponse> {
        if request.places.len() > MAX_PLACES {
            return Err(bad("at most 50 places are described in one call"));
        }
        let published = self.published(request.places.iter()).await?;
        let found: Vec<Option<(EndpointId, Reach)>> =
            request.places.iter().map(|place| find(&published, place)).collect();
        let mut ids: Vec<EndpointId> = found.iter().flatten().map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids.dedup();
        let now = self.clock.now();
        let facts = if ids.is_empty() {
            Facts::default()
        } else {
            Facts {
                breakers: standing::breakers(&self.db, &ids, now).await?,
                looks: standing::looks(&self.db, &ids, now.minus(LOOKS)).await?,
                calls: standing::calls(&self.db, &ids, now.minus(CALLS)).await?,
            }
        };
        let health: HashMap<EndpointId, &str> = published
            .values()
            .filter_map(|item| Some((item.endpoint.id, item.endpoint.health_status?.as_str())))
            .collect();
        let describe = |place: Option<(EndpointId, Reach)>| {
            place.map_or_else(Description::default, |(id, reach)| facts.describe(id, reach, health.get(&id)))
        };
        Ok(DescribeEndpointsResponse { descriptions: found.into_iter().map(describe).collect() })
    }

    /// What the chat services say of these endpoints; nothing of those that answer.
    pub(crate) async fn breakers(&self, ids: &[EndpointId]) -> Result<Vec<BreakerLine>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        Ok(standing::breakers(&self.db, ids, self.clock.now()).await?)
    }

    /// The endpoints that places name, by their paths.
    async fn published<'a>(
        &self,
        places: impl Iterator<Item = &'a Place>,
    ) -> Result<HashMap<String, EndpointWithOwner>> {
        let mut paths: Vec<EndpointPath> =
            places.filter_map(|place| EndpointPath::parse(&place.path)).collect();
        paths.sort();
        paths.dedup();
        if paths.is_empty() {
            return Ok(HashMap::new());
        }
        let found = endpoints::resolve_many(&self.db, &paths).await?;
        Ok(found.into_iter().map(|item| (item.path(), item)).collect())
    }
}

/// The worst state that anybody reports.
pub(crate) fn state_of(line: Option<&BreakerLine>) -> BreakerState {
    match line {
        None => BreakerState::Closed,
        Some(line) if line.open > 0 => BreakerState::Open,
        Some(_) => BreakerState::HalfOpen,
    }
}

/// What the database knows of some endpoints.
#[derive(Debug, Default)]
struct Facts {
    breakers: Vec<BreakerLine>,
    looks: Vec<LookLine>,
    calls: Vec<CallLine>,
}

impl Facts {
    fn describe(&self, id: EndpointId, reach: Reach, health: Option<&&str>) -> Description {
        let looks = self.looks.iter().find(|line| line.endpoint_id == id);
        let calls = self.calls.iter().find(|line| line.endpoint_id == id);
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        Description {
            is_published: true,
            connection_type: reach.connection_type,
            upstream_model: reach.upstream_model,
            health_status: health.map(|status| (*status).to_owned()).unwrap_or_default(),
            breaker: state_of(self.breakers.iter().find(|line| line.endpoint_id == id)).into(),
            checks: looks.map_or(0, |line| count(line.checks)),
            healthy_checks: looks.map_or(0, |line| count(line.healthy)),
            votes: calls.map_or(0, |line| count(line.votes)),
            good_votes: calls.map_or(0.0, |line| line.good),
        }
    }
}

/// The endpoint that is published at a place, and how it is spoken to there.
fn find(published: &HashMap<String, EndpointWithOwner>, place: &Place) -> Option<(EndpointId, Reach)> {
    let item = published.get(&EndpointPath::parse(&place.path)?.to_string())?;
    let connections = mapper::items(&item.endpoint.connect);
    let reach =
        connections::reach_at(connections, item.owner_domain.as_deref(), &place.url, &place.tenant_name)?;
    Some((item.endpoint.id, reach))
}

fn is_openai(connection_type: &str) -> bool {
    connection_type.eq_ignore_ascii_case("openai")
}

fn bad(text: &str) -> Error {
    Error::new(ErrorCode::BadRequest, text)
}
