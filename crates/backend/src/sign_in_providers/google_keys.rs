//! The keys that Google publishes, kept as long as Google says.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http::{HeaderMap, header};
use serde_json::Value;
use syfthub_auth::satellite::Verifier;
use syfthub_domain::{Error, ErrorCode, Result, SharedClock, Timestamp};
use syfthub_egress::{Client, Limits};
use tokio::sync::Mutex;
use url::Url;

/// Largest set that is read, in bytes; Google's has about 1,500.
const MAX_SET: usize = 64 * 1024;
/// A set is kept at least so long, whatever it says of itself.
const SHORTEST: Duration = Duration::from_mins(1);
/// And at most so long, so that a key that was withdrawn is not believed for ever.
const LONGEST: Duration = Duration::from_hours(24);
/// For a set that says nothing of itself.
const USUAL: Duration = Duration::from_hours(1);
/// A key that is not in a set which is still good is looked for again so often: anybody can make one up.
const LOOK_AGAIN: Duration = Duration::from_mins(1);
/// After a failure the next one who asks waits for nothing meanwhile.
const PAUSE: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
struct Held {
    keys: Arc<Verifier>,
    good_until: Timestamp,
}

#[derive(Debug, Default)]
struct State {
    held: Option<Held>,
    asked_at: Option<Timestamp>,
    failed_at: Option<Timestamp>,
}

/// What is to be done about a key.
enum Found {
    Keys(Arc<Verifier>),
    Nowhere,
    NotNow,
    Ask,
}

/// The keys of Google.
#[derive(Debug)]
pub(super) struct GoogleKeys {
    client: Client,
    url: Url,
    clock: SharedClock,
    state: RwLock<State>,
    /// Held while asking: of many who miss a key one asks.
    asking: Mutex<()>,
}

impl GoogleKeys {
    pub(super) fn new(url: Url, clock: SharedClock) -> Result<Self> {
        let limits =
            Limits { connect: Duration::from_secs(5), total: Duration::from_secs(10), max_body: MAX_SET };
        let client = Client::operator(limits).map_err(Error::internal)?;
        Ok(Self { client, url, clock, state: RwLock::default(), asking: Mutex::default() })
    }

    /// The keys, if this one is among them; 503 while they cannot be got.
    pub(super) async fn holding(&self, kid: &str) -> Result<Option<Arc<Verifier>>> {
        if let Found::Keys(keys) = self.look(kid) {
            return Ok(Some(keys));
        }
        let _turn = self.asking.lock().await;
        // Somebody else may have asked while this one waited.
        match self.look(kid) {
            Found::Keys(keys) => Ok(Some(keys)),
            Found::Nowhere => Ok(None),
            Found::NotNow => Err(unavailable()),
            Found::Ask => {
                let keys = self.ask().await?;
                Ok(keys.knows(kid).then_some(keys))
            }
        }
    }

    fn look(&self, kid: &str) -> Found {
        let now = self.clock.now();
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let lately = |at: Option<Timestamp>, pause| at.is_some_and(|at| now.since(at) < pause);
        match state.held.as_ref().filter(|held| held.good_until > now) {
            Some(held) if held.keys.knows(kid) => Found::Keys(Arc::clone(&held.keys)),
            Some(_) if lately(state.asked_at, LOOK_AGAIN) => Found::Nowhere,
            None if lately(state.failed_at, PAUSE) => Found::NotNow,
            _ => Found::Ask,
        }
    }

    async fn ask(&self) -> Result<Arc<Verifier>> {
        let fetched = self.fetch().await;
        let now = self.clock.now();
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.asked_at = Some(now);
        match fetched {
            Ok((keys, life)) => {
                let keys = Arc::new(keys);
                state.held = Some(Held { keys: Arc::clone(&keys), good_until: now.plus(life) });
                state.failed_at = None;
                Ok(keys)
            }
            Err(error) => {
                state.failed_at = Some(now);
                tracing::warn!(target: "syfthub.api.auth", %error, chain = error.chain(), "google.keys.not_fetched");
                Err(unavailable().with_source(error))
            }
        }
    }

    async fn fetch(&self) -> Result<(Verifier, Duration)> {
        let answer = self.client.get(self.url.clone()).send().await?.require_success()?;
        let life = life(answer.headers());
        let document: Value = answer.json_capped(MAX_SET).await?;
        Ok((Verifier::from_jwks(&document)?, life))
    }
}

fn unavailable() -> Error {
    let text = "Google's keys cannot be reached, so nobody can be signed in with Google at the moment; try again soon";
    Error::new(ErrorCode::Unavailable, text).with_retry_after(PAUSE)
}

/// How long the set is good, by its `Cache-Control`.
fn life(headers: &HeaderMap) -> Duration {
    let values = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let pairs = values.flat_map(|value| value.split(',')).filter_map(|part| part.split_once('='));
    let seconds = pairs
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("max-age"))
        .find_map(|(_, number)| number.trim().trim_matches('"').parse().ok());
    seconds.map_or(USUAL, Duration::from_secs).clamp(SHORTEST, LONGEST)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_set_is_good_as_long_as_it_says_within_reason() {
        let told = |text: &'static str| {
            life(&HeaderMap::from_iter([(header::CACHE_CONTROL, HeaderValue::from_static(text))]))
        };
        assert_eq!(told("public, max-age=22010, must-revalidate, no-transform"), Duration::from_secs(22_010));
        assert_eq!(told("Max-Age=\"600\""), Duration::from_mins(10));
        assert_eq!((told("max-age=0"), told("no-store")), (SHORTEST, USUAL));
        assert_eq!((told("max-age=99999999"), told("max-age=nonsense, s-maxage=7")), (LONGEST, USUAL));
        assert_eq!(life(&HeaderMap::new()), USUAL);
    }
}
