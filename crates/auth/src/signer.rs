//! RS256 signatures on a bounded pool: each keeps a core busy for about half a millisecond.

use std::sync::Arc;
use std::time::Duration;

use syfthub_domain::Result;

use crate::jws;
use crate::keys::SigningKey;
use crate::pool::{Pool, Shape};

/// Signs on threads of its own.
#[derive(Clone)]
pub struct SignerPool(Pool);

impl SignerPool {
    /// Starts `threads` threads (0: one per core) with room for `max_queue` waiting signatures.
    pub fn new(threads: usize, max_queue: usize) -> Result<Self> {
        Pool::start(&Shape {
            name: "rs256",
            threads,
            most: usize::MAX,
            spared_cores: 0,
            niceness: 0,
            max_queue,
            busy: "Too many tokens are being signed; try again in a moment",
            retry_after: Duration::from_secs(1),
        })
        .map(Self)
    }

    /// Signs serialised claims; see [`jws::sign_rs256`]. 503 with `Retry-After` when the queue is
    /// full.
    pub async fn sign(&self, key: Arc<SigningKey>, claims_json: String) -> Result<String> {
        self.0.run(move || jws::sign_rs256(&key, claims_json.as_bytes())).await
    }

    /// Like [`Self::sign`], with the header of access tokens; see [`jws::sign_access_rs256`].
    pub async fn sign_access(&self, key: Arc<SigningKey>, claims_json: String) -> Result<String> {
        self.0.run(move || jws::sign_access_rs256(&key, claims_json.as_bytes())).await
    }
}

impl std::fmt::Debug for SignerPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignerPool")
    }
}
