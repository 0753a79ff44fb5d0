//! Who is behind a credential. Asked when a batch is sent, so that no request waits for it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use moka::future::Cache;
use sha2::{Digest, Sha256};
use syfthub_config::Secret;
use syfthub_proto::identity::VerifyCredentialRequest;
use syfthub_rpc::{Peer, status, stubs, with_deadline};

/// Longest wait for the hub to verify a credential.
const DEADLINE: Duration = Duration::from_secs(2);
/// How long an account is remembered for its credential. Nothing is granted on it.
const REMEMBER: Duration = Duration::from_mins(10);
/// Credentials remembered at once; under a hundred bytes each.
const CAPACITY: u64 = 20_000;

/// Failures in a row after which somebody counts as nobody, so that what the hub never answers stops nothing.
const PATIENCE: u32 = 5;

/// A guest, and whoever showed a credential that is not good.
const NOBODY: i64 = 0;

#[derive(Debug)]
pub(super) struct Callers {
    hub: Peer,
    known: Cache<[u8; 32], i64>,
    failures: AtomicU32,
}

impl Callers {
    pub(super) fn new(hub: Peer) -> Self {
        let known = Cache::builder().max_capacity(CAPACITY).time_to_live(REMEMBER).build();
        Self { hub, known, failures: AtomicU32::new(0) }
    }

    /// The number of the account, 0 for nobody; `None` while the hub does not answer.
    pub(super) async fn of(&self, credential: Option<&Secret>) -> Option<i64> {
        let Some(credential) = credential.filter(|credential| !credential.is_empty()) else {
            return Some(NOBODY);
        };
        let key: [u8; 32] = Sha256::digest(credential.expose().as_bytes()).into();
        if let Some(id) = self.known.get(&key).await {
            return Some(id);
        }
        let request = VerifyCredentialRequest { credential: credential.expose().to_owned() };
        let request = with_deadline(tonic::Request::new(request), DEADLINE);
        match stubs::identity_client(self.hub.clone()).verify_credential(request).await {
            Ok(answer) => {
                let id = answer.into_inner().principal.map_or(NOBODY, |principal| principal.user_id);
                self.failures.store(0, Ordering::Relaxed);
                self.known.insert(key, id).await;
                Some(id)
            }
            Err(refusal) if status::from_status(&refusal).code.http_status() < 500 => Some(NOBODY),
            Err(_) => {
                let failures = self.failures.fetch_add(1, Ordering::Relaxed);
                (failures >= PATIENCE).then_some(NOBODY)
            }
        }
    }
}
