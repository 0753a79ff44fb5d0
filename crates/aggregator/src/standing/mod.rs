//! What the directory knows of the endpoints that a chat names: how they are spoken to, and how they have done.
//!
//! Asked behind the chats, many endpoints at once, and remembered, also that nothing is known. A chat uses what is
//! there. It waits only for the protocol of a model of which nothing is remembered, and for that not long.

mod record;
mod report;

use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use moka::sync::Cache;
use syfthub_proto::directory::{DescribeEndpointsRequest, Description, Place};
use syfthub_rpc::{LinkedTask, Peer, spawn_apart, status, stubs, with_deadline};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

pub(crate) use report::Reporter;

use crate::chat::{Ask, Connection, EndpointRef};

const TARGET: &str = "syfthub.aggregator.standing";
/// Endpoints per call, the limit of the contract.
const BATCH: usize = 50;
/// Endpoints that may wait to be asked about; more are asked about when they are named again.
const QUEUE: usize = 2_000;
/// Endpoints remembered at once, at about two hundred bytes.
const CAPACITY: u64 = 20_000;
/// After this the directory is asked again, while what it said before still counts.
const FRESH: Duration = Duration::from_mins(1);
/// What nobody names for so long is forgotten.
const KEPT: Duration = Duration::from_mins(10);
/// When to ask again after the directory did not answer.
const RETRY: Duration = Duration::from_secs(15);
/// Longest wait for the directory.
const DEADLINE: Duration = Duration::from_secs(3);
/// Longest wait of a chat for the protocol of its model.
const PATIENCE: Duration = Duration::from_secs(1);

/// An endpoint as a chat names it, hashed twice under keys that nobody knows: what is named comes from anybody.
type Key = (u64, u64);

/// What is remembered of an endpoint.
#[derive(Debug, Clone)]
struct Known {
    /// -1 to 1; 0 when nothing is known.
    standing: f64,
    /// How it is spoken to.
    connection: Connection,
    /// The model's name at its address, where it has one of its own.
    upstream_model: Option<Arc<str>>,
    until: Instant,
}

/// Remembers what the directory says. A clone leads to the same memory.
#[derive(Debug, Clone)]
pub(crate) struct Standings {
    shared: Arc<Shared>,
    /// Started by the first question, so that building the service needs no running tasks.
    asker: Arc<OnceLock<LinkedTask<()>>>,
}

#[derive(Debug)]
struct Shared {
    hub: Peer,
    known: Cache<Key, Known>,
    hashers: (RandomState, RandomState),
    wanted: Mutex<Wanted>,
    bell: Notify,
    /// Changes with every answer.
    answers: watch::Sender<u64>,
}

/// Whom to ask about.
#[derive(Debug, Default)]
struct Wanted {
    queue: VecDeque<(Key, Place)>,
    /// Those in the queue and those that are being asked about.
    pending: HashSet<Key>,
}

impl Standings {
    /// Asks `hub`.
    pub(crate) fn new(hub: Peer) -> Self {
        let shared = Shared {
            hub,
            known: Cache::builder().max_capacity(CAPACITY).time_to_idle(KEPT).build(),
            hashers: (RandomState::new(), RandomState::new()),
            wanted: Mutex::default(),
            bell: Notify::new(),
            answers: watch::Sender::new(0),
        };
        Self { shared: Arc::new(shared), asker: Arc::default() }
    }

    /// Has the directory asked about what a question names, so that the answers are there when they are needed.
    pub(crate) fn prepare(&self, ask: &Ask) {
        if ask.retrieval_only {
            return;
        }
        // The models last: who is named later is asked about earlier.
        for endpoint in ask.data_sources.iter().chain(ask.models().filter(|_| !ask.is_resolved)) {
            self.look(endpoint);
        }
    }

    /// How much the record of each source speaks for it, as far as it is known by now: -1 to 1.
    pub(crate) fn of_sources(&self, ask: &Ask) -> Vec<f64> {
        let standing = |source| self.look(source).map_or(0.0, |known| known.standing);
        ask.data_sources.iter().map(standing).collect()
    }

    /// The model with the protocol under which it is published at this address, when the caller named none.
    pub(crate) async fn spoken<'a>(&self, model: &'a EndpointRef, is_resolved: bool) -> Cow<'a, EndpointRef> {
        if is_resolved || model.connection != Connection::Space {
            return Cow::Borrowed(model);
        }
        let Some(known) = self.known(model).await.filter(|known| known.connection != model.connection) else {
            return Cow::Borrowed(model);
        };
        let name = known.upstream_model.as_deref().map(str::to_owned);
        Cow::Owned(EndpointRef {
            connection: known.connection,
            upstream_model: model.upstream_model.clone().or(name),
            ..model.clone()
        })
    }

    async fn known(&self, endpoint: &EndpointRef) -> Option<Known> {
        let mut answers = self.shared.answers.subscribe();
        endpoint.owner_username.as_ref()?;
        if let Some(known) = self.look(endpoint) {
            return Some(known);
        }
        let key = self.shared.key(endpoint);
        let waiting = async {
            loop {
                answers.changed().await.ok()?;
                if let Some(known) = self.shared.known.get(&key) {
                    return Some(known);
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.ok().flatten()
    }

    /// What is remembered, fresh or not; has the directory asked when it is not. Never waits.
    fn look(&self, endpoint: &EndpointRef) -> Option<Known> {
        // Nothing is published without an owner.
        let owner = endpoint.owner_username.as_deref()?;
        let key = self.shared.key(endpoint);
        let known = self.shared.known.get(&key);
        if known.as_ref().is_none_or(|known| known.until <= Instant::now()) {
            let mut wanted = self.shared.wanted();
            if wanted.pending.len() < QUEUE && wanted.pending.insert(key) {
                wanted.queue.push_front((key, place(owner, endpoint)));
                drop(wanted);
                self.asker.get_or_init(|| spawn_apart(ask_forever(Arc::clone(&self.shared))));
                self.shared.bell.notify_one();
            }
        }
        known
    }
}

/// An endpoint as the directory is asked about it.
fn place(owner: &str, endpoint: &EndpointRef) -> Place {
    Place {
        path: format!("{owner}/{}", endpoint.slug),
        url: endpoint.url.clone(),
        tenant_name: endpoint.tenant_name.clone().unwrap_or_default(),
    }
}

async fn ask_forever(shared: Arc<Shared>) {
    loop {
        shared.bell.notified().await;
        while shared.ask().await {}
    }
}

impl Shared {
    fn key(&self, endpoint: &EndpointRef) -> Key {
        let named = (&endpoint.owner_username, &endpoint.slug, &endpoint.url, &endpoint.tenant_name);
        (self.hashers.0.hash_one(named), self.hashers.1.hash_one(named))
    }

    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks about the next few; false when there are none.
    async fn ask(&self) -> bool {
        let (keys, places): (Vec<Key>, Vec<Place>) = {
            let mut wanted = self.wanted();
            let count = wanted.queue.len().min(BATCH);
            wanted.queue.drain(..count).unzip()
        };
        if keys.is_empty() {
            return false;
        }
        let request = with_deadline(tonic::Request::new(DescribeEndpointsRequest { places }), DEADLINE);
        match stubs::directory_client(self.hub.clone()).describe_endpoints(request).await {
            Ok(answer) => {
                let until = Instant::now() + FRESH;
                let described = answer.into_inner().descriptions;
                for (key, description) in keys.iter().zip(&described) {
                    self.known.insert(*key, Known::of(description, until));
                }
            }
            Err(refusal) => {
                let code = status::from_status(&refusal).code.name();
                tracing::debug!(target: TARGET, code, endpoints = keys.len(), "standing.unknown");
                let until = Instant::now() + RETRY;
                for key in &keys {
                    // What was known before is better than nothing.
                    let before = self.known.get(key);
                    let nothing = || Known::of(&Description::default(), until);
                    self.known.insert(*key, before.map_or_else(nothing, |known| Known { until, ..known }));
                }
            }
        }
        let mut wanted = self.wanted();
        for key in &keys {
            wanted.pending.remove(key);
        }
        drop(wanted);
        self.answers.send_modify(|answers| *answers += 1);
        true
    }
}

impl Known {
    fn of(description: &Description, until: Instant) -> Self {
        // Of what is not published there, all of this is empty.
        let name = &description.upstream_model;
        Self {
            standing: record::standing(description),
            connection: Connection::of(&description.connection_type),
            upstream_model: (!name.is_empty()).then(|| name.as_str().into()),
            until,
        }
    }
}

#[cfg(test)]
mod tests {
    use syfthub_rpc::{Caller, InternalKey};

    use super::*;

    fn endpoint(slug: &str) -> EndpointRef {
        EndpointRef {
            url: "https://node.example".to_owned(),
            slug: slug.to_owned(),
            owner_username: Some("ada".to_owned()),
            ..EndpointRef::default()
        }
    }

    /// A hub that knows no such call, as one of an older version.
    fn standings() -> Standings {
        let routes = tonic::service::Routes::default();
        Standings::new(syfthub_rpc::local(routes, Caller::Aggregator, &InternalKey::new([7; 32])))
    }

    #[tokio::test]
    async fn what_the_directory_does_not_say_is_remembered_too() {
        let standings = standings();
        let model = endpoint("writer");
        assert!(matches!(standings.spoken(&model, false).await, Cow::Borrowed(_)));
        assert_eq!(*standings.shared.answers.borrow(), 1);
        assert!(matches!(standings.spoken(&model, false).await, Cow::Borrowed(_)));
        assert_eq!(*standings.shared.answers.borrow(), 1, "nobody asked again");
        assert!(standings.shared.wanted().pending.is_empty());
        let stranger = EndpointRef { owner_username: None, ..endpoint("writer") };
        assert!(matches!(standings.spoken(&stranger, false).await, Cow::Borrowed(_)));
        assert_eq!(*standings.shared.answers.borrow(), 1);
    }

    #[tokio::test]
    async fn no_more_wait_than_there_is_room_for() {
        let standings = standings();
        for number in 0..QUEUE + 10 {
            assert!(standings.look(&endpoint(&format!("s{number}"))).is_none());
            assert!(standings.look(&endpoint("again")).is_none());
        }
        assert_eq!(standings.shared.wanted().pending.len(), QUEUE);
        assert_eq!(standings.shared.wanted().queue.len(), QUEUE);
    }

    #[test]
    fn every_part_of_a_name_counts() {
        let standings = standings();
        let key = |endpoint: EndpointRef| standings.shared.key(&endpoint);
        let base = key(endpoint("docs"));
        assert_eq!(key(endpoint("docs")), base);
        for other in [
            endpoint("doc"),
            EndpointRef { url: "https://other.example".to_owned(), ..endpoint("docs") },
            EndpointRef { owner_username: Some("bob".to_owned()), ..endpoint("docs") },
            EndpointRef { tenant_name: Some("t".to_owned()), ..endpoint("docs") },
        ] {
            assert_ne!(key(other), base);
        }
    }
}
