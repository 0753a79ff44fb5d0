//! Satellite tokens for owners whose token the caller did not bring.
//!
//! They are minted by the hub on the caller's own credential, which goes nowhere else. Since addresses come
//! with the request, a minted token only goes to an address that the directory confirms: otherwise who
//! talks a caller into a forged reference would receive a token that speaks for the caller. When there is
//! none, the endpoint is called without: it decides whether it serves strangers.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use sha2::{Digest, Sha256};
use syfthub_config::Secret;
use syfthub_domain::{SharedClock, Timestamp};
use syfthub_proto::identity::MintSatelliteTokensRequest;
use syfthub_rpc::{Peer, status, stubs, with_deadline};
use tokio::sync::Mutex;

use super::ask::{Ask, EndpointRef};
use super::place::{self, Place};

/// Longest wait for the hub; a chat goes on without tokens after that.
const DEADLINE: Duration = Duration::from_secs(5);
/// A token is not used again when it ends within this time.
const MARGIN: Duration = Duration::from_secs(10);
/// Most tokens that are kept.
const CAPACITY: u64 = 20_000;
/// Audiences per call, the limit of the contract.
const MAX_AUDIENCES: usize = 50;

type CredentialHash = [u8; 32];

/// The tokens of one request.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    /// By owner. The caller brought them and answers for where they go.
    brought: HashMap<String, Secret>,
    /// By confirmed place.
    minted: HashMap<Place, Secret>,
}

impl Tokens {
    /// The token that an endpoint may see: one of its owner.
    pub(crate) fn of(&self, endpoint: &EndpointRef) -> Option<&Secret> {
        let brought = self.brought.get(endpoint.owner_username.as_deref()?);
        brought.or_else(|| self.minted.get(&Place::of(endpoint)?))
    }
}

/// Mints and remembers satellite tokens.
#[derive(Debug)]
pub(super) struct SatelliteTokens {
    hub: Peer,
    clock: SharedClock,
    minted: Cache<(CredentialHash, String), (Secret, Timestamp)>,
    /// One minting call per credential at a time, so that a burst of questions mints once.
    turns: Cache<CredentialHash, Arc<Mutex<()>>>,
}

impl SatelliteTokens {
    pub(super) fn new(hub: Peer, clock: SharedClock) -> Self {
        let lasting = Duration::from_mins(10);
        Self {
            hub,
            clock,
            minted: Cache::builder().max_capacity(CAPACITY).time_to_live(lasting).build(),
            turns: Cache::builder().max_capacity(CAPACITY).time_to_idle(lasting).build(),
        }
    }

    /// Every token that the request can use: those that came with it and minted ones.
    pub(super) async fn for_request(&self, ask: &Ask) -> Tokens {
        let mut tokens = Tokens { brought: ask.endpoint_tokens.clone(), minted: HashMap::new() };
        let nobody = Secret::new("");
        let credential = ask.credential.as_ref().filter(|credential| !credential.is_empty());
        // A guest who names paths only has no way to bring tokens of their own: the hub mints a guest's.
        let Some(credential) = credential.or(ask.is_resolved.then_some(&nobody)) else { return tokens };
        let models = ask.models().filter(|_| !ask.retrieval_only);
        let places: BTreeSet<Place> = ask
            .data_sources
            .iter()
            .chain(models)
            .filter_map(Place::of)
            .filter(|place| !tokens.brought.contains_key(place.owner()))
            .collect();
        if places.is_empty() {
            return tokens;
        }
        let places =
            if ask.is_resolved { places } else { place::confirmed(&self.hub, credential, places).await };
        let owners: BTreeSet<&str> = places.iter().map(Place::owner).take(MAX_AUDIENCES).collect();
        if owners.is_empty() {
            return tokens;
        }
        let minted = self.mint(credential, &owners).await;
        let token = |place: &Place| minted.get(place.owner()).cloned();
        tokens.minted = places.iter().filter_map(|place| Some((place.clone(), token(place)?))).collect();
        tokens
    }

    async fn mint(&self, credential: &Secret, owners: &BTreeSet<&str>) -> HashMap<String, Secret> {
        let hash: CredentialHash = Sha256::digest(credential.expose().as_bytes()).into();
        let mut found = HashMap::new();
        if self.remembered(hash, owners, &mut found).await.is_empty() {
            return found;
        }
        let turn = self.turns.get_with(hash, async { Arc::default() }).await;
        let _turn = turn.lock().await;
        let missing = self.remembered(hash, owners, &mut found).await;
        if missing.is_empty() {
            return found;
        }
        let request =
            MintSatelliteTokensRequest { credential: credential.expose().to_owned(), audiences: missing };
        let request = with_deadline(tonic::Request::new(request), DEADLINE);
        match stubs::identity_client(self.hub.clone()).mint_satellite_tokens(request).await {
            Ok(response) => {
                let now = self.clock.now();
                for token in response.into_inner().tokens {
                    let until = now.plus(Duration::from_secs(token.expires_in_seconds.into())).minus(MARGIN);
                    let secret = Secret::new(token.token);
                    self.minted.insert((hash, token.audience.clone()), (secret.clone(), until)).await;
                    found.insert(token.audience, secret);
                }
            }
            Err(refusal) => {
                let error = status::from_status(&refusal);
                tracing::warn!(target: "syfthub.aggregator.chat", code = error.code.name(), "chat.tokens.unavailable");
            }
        }
        found
    }

    /// Adds the tokens that are still good to `found` and returns the owners without one.
    async fn remembered(
        &self,
        hash: CredentialHash,
        owners: &BTreeSet<&str>,
        found: &mut HashMap<String, Secret>,
    ) -> Vec<String> {
        let now = self.clock.now();
        let mut missing = Vec::new();
        for owner in owners {
            match self.minted.get(&(hash, (*owner).to_owned())).await {
                Some((token, until)) if now < until => {
                    found.insert((*owner).to_owned(), token);
                }
                _ => missing.push((*owner).to_owned()),
            }
        }
        missing
    }
}
