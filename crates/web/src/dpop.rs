//! DPoP at our HTTP edges (RFC 9449): the token and the proof of a request, and the memory of proofs that were used.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use syfthub_auth::dpop::{self, Expected, Proof, ProofError};
use syfthub_auth::public_jwk::ALGORITHMS;
use syfthub_cache::{Bounds, Cache, Memory};
use syfthub_config::Secret;
use syfthub_domain::{Result, SharedClock};

use crate::route_table::{Owner, public_paths};

/// The header that a proof comes in.
pub const HEADER: &str = "dpop";
/// Scheme of a token that is bound to a key, and value of `token_type`.
pub const SCHEME: &str = "DPoP";
/// Longest token that is looked at, in bytes.
const MAX_TOKEN: usize = 8192;
/// Proofs that a process remembers by itself. Each is good for two minutes at most, so this is enough for 1,600 requests
/// a second over all that time; what ends first is forgotten first.
const BOUNDS: Bounds = Bounds { entries: 200_000, bytes: 32 * 1024 * 1024 };

/// The token behind `Authorization: DPoP`; the scheme's case does not matter.
#[derive(Debug, Clone)]
pub struct Bound(pub Secret);

impl Bound {
    /// Reads the header of a request.
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = text.trim().split_once(' ')?;
        let token = token.trim();
        let fits = scheme.eq_ignore_ascii_case(SCHEME) && !token.is_empty() && token.len() <= MAX_TOKEN;
        fits.then(|| Self(Secret::new(token)))
    }
}

/// The proof of a request, if there is one.
pub fn proof(headers: &HeaderMap) -> Result<Option<&str>, ProofError> {
    let mut all = headers.get_all(HEADER).iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(ProofError::Several),
        (Some(one), None) => one.to_str().map(Some).map_err(|_| ProofError::Malformed),
    }
}

/// The addresses by which the outside reaches what a service sees under `inner`.
pub fn addresses(origin: &str, owner: Owner, inner: &str) -> Vec<String> {
    public_paths(owner, inner).into_iter().map(|path| format!("{origin}{path}")).collect()
}

/// `DPoP` with the algorithms that are taken, for `WWW-Authenticate` (RFC 9449, section 7.1).
pub fn challenge(more: &str) -> String {
    let separator = if more.is_empty() { "" } else { ", " };
    format!("{SCHEME} {more}{separator}algs=\"{}\"", ALGORITHMS.join(" "))
}

/// Layer: beside every challenge for a bearer token, the one for a token that is bound to a key.
pub async fn challenged(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    let asks = answer.headers().get(header::WWW_AUTHENTICATE);
    let asks = asks.is_some_and(|value| value.as_bytes().starts_with(b"Bearer"));
    if answer.status() == StatusCode::UNAUTHORIZED
        && asks
        && let Ok(value) = HeaderValue::from_str(&challenge(""))
    {
        answer.headers_mut().append(header::WWW_AUTHENTICATE, value);
    }
    answer
}

/// Checks proofs, and remembers them for as long as they could be shown again.
#[derive(Debug)]
pub struct Proofs {
    clock: SharedClock,
    /// Of this process alone.
    own: Cache,
    /// Shared with the other replicas.
    shared: Option<Cache>,
    /// Whether the shared one answered last time.
    reachable: AtomicBool,
}

impl Proofs {
    /// Remembers in `cache` where it is shared between replicas, else in a memory of its own, which nothing else can
    /// push out of.
    pub fn new(cache: &Cache, clock: SharedClock) -> Self {
        let own = Cache::Memory(Memory::new(clock.clone(), BOUNDS));
        let shared = cache.is_shared().then(|| cache.clone());
        Self { clock, own, shared, reachable: AtomicBool::new(true) }
    }

    /// Checks a proof and notes that it was used. Of many requests that show the same one at most one is let through.
    pub async fn check(&self, proof: &str, expected: Expected<'_>) -> Result<Proof, ProofError> {
        let checked = dpop::verify(proof, expected, self.clock.now());
        let checked = match checked {
            Ok(proof) if self.is_new(&proof).await => Ok(proof),
            Ok(_) => Err(ProofError::Replayed),
            Err(error) => Err(error),
        };
        let outcome = match &checked {
            Ok(_) => "good",
            Err(ProofError::Replayed) => "replayed",
            Err(_) => "refused",
        };
        metrics::counter!("syfthub_dpop_proofs_total", "outcome" => outcome).increment(1);
        if let Err(error) = &checked {
            tracing::info!(%error, "dpop.refused");
        }
        checked
    }

    async fn is_new(&self, proof: &Proof) -> bool {
        let left = proof.ends_at.since(self.clock.now());
        self.first_use(&format!("dpop:{}", proof.id), left).await
    }

    /// Whether something is used for the first time, and notes that it was. With the shared memory out of reach, every
    /// process has its own: the window in which a stolen proof could be shown once more, to another replica, is
    /// better than refusing everybody.
    pub async fn first_use(&self, key: &str, remember: Duration) -> bool {
        // Redis counts milliseconds and takes no 0.
        let remember = remember.max(Duration::from_secs(1));
        if !self.own.put_new(key, "1", remember).await.unwrap_or(false) {
            return false;
        }
        let Some(shared) = &self.shared else { return true };
        match shared.put_new(key, "1", remember).await {
            Ok(first) => {
                self.reachable.store(true, Ordering::Relaxed);
                first
            }
            Err(error) => {
                if self.reachable.swap(false, Ordering::Relaxed) {
                    tracing::warn!(%error, "dpop.memory.not_shared");
                }
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use syfthub_domain::{FixedClock, Timestamp};

    use super::*;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn the_scheme_is_read_in_any_case() {
        let token = |value| {
            Bound::from_headers(&headers(&[("authorization", value)]))
                .map(|Bound(token)| token.expose().to_owned())
        };
        assert_eq!(token("DPoP abc").as_deref(), Some("abc"));
        assert_eq!(token("dpop  abc ").as_deref(), Some("abc"));
        for other in ["Bearer abc", "DPoP", "DPoP ", "abc", "DPoPabc"] {
            assert_eq!(token(other), None, "{other}");
        }
    }

    // Covers: RFC9449-4.3-one
    #[test]
    fn there_is_one_proof_or_none() {
        assert_eq!(proof(&headers(&[])), Ok(None));
        assert_eq!(proof(&headers(&[("dpop", "a.b.c")])), Ok(Some("a.b.c")));
        assert_eq!(proof(&headers(&[("dpop", "a.b.c"), ("dpop", "a.b.c")])), Err(ProofError::Several));
    }

    #[test]
    fn an_address_is_that_of_the_outside() {
        let of = |owner, inner| addresses("https://h", owner, inner);
        assert_eq!(of(Owner::Backend, "/api/v1/auth/me"), ["https://h/api/v1/auth/me"]);
        assert_eq!(of(Owner::Backend, "/alice/docs"), ["https://h/alice/docs"]);
        assert_eq!(of(Owner::Aggregator, "/api/v1/chat"), ["https://h/aggregator/api/v1/chat"]);
        assert_eq!(of(Owner::Aggregator, "/api/v1/q"), ["https://h/aggregator/api/v1/q", "https://h/q"]);
        assert_eq!(
            of(Owner::Aggregator, "/v1/models"),
            ["https://h/v1/models", "https://h/aggregator/v1/models"]
        );
        assert_eq!(of(Owner::Mcp, "/oauth/token"), ["https://h/mcp/oauth/token", "https://h/token"]);
    }

    #[tokio::test]
    async fn a_key_is_new_once_until_it_is_forgotten() {
        let clock = FixedClock::new(Timestamp::from_secs(1_700_000_000));
        let shared: SharedClock = clock.clone();
        let proofs = Proofs::new(&Cache::memory(shared.clone()), shared);
        let minute = Duration::from_mins(1);
        assert!(proofs.first_use("a", minute).await && !proofs.first_use("a", minute).await);
        assert!(proofs.first_use("b", minute).await);
        clock.advance(minute);
        assert!(proofs.first_use("a", minute).await);
    }
}
