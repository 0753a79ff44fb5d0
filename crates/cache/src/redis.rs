//! The backend in Redis.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use deadpool_redis::{Connection, Manager, Pool, Runtime};
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{
    AsyncCommands, AsyncConnectionConfig, Client, IntoConnectionInfo as _, RedisError, Script, SetExpiry,
    SetOptions,
};
use syfthub_config::Rule;
use tokio::time::Instant;

use crate::breaker::Breaker;
use crate::limit::{Decision, Pace};
use crate::outage::Outage;
use crate::subscription::{Messages, Subscription};
use crate::{Error, Result};

/// Time to connect, and time to answer.
const TIMEOUT: Duration = Duration::from_secs(1);

/// A subscription only listens: without a probe it would never learn that the server's machine has died.
const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_secs(10)).with_interval(Duration::from_secs(5));

/// Connections of one process. Each carries one command at a time.
const CONNECTIONS: usize = 16;

/// Adds one and lets the counter end `ttl` after it began.
static INCR: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local n = redis.call('INCR', KEYS[1])
         if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
         return n",
    )
});

/// GCRA on the server's clock; the arithmetic of `limit.rs`. Returns whether the request is allowed and
/// the debt in microseconds.
static LIMIT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local t = redis.call('TIME')
         local now = t[1] * 1000000 + t[2]
         local step, window = tonumber(ARGV[1]), tonumber(ARGV[2])
         local arrival = tonumber(redis.call('GET', KEYS[1]) or now)
         if arrival < now then arrival = now end
         local debt = arrival - now + step
         if debt > window then return {0, debt - step} end
         redis.call('SET', KEYS[1], string.format('%.0f', now + debt), 'PX', math.ceil(debt / 1000))
         return {1, debt}",
    )
});

/// Deletes a lock, but only its owner's.
static UNLOCK: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0",
    )
});

/// Prolongs a lock, but only its owner's.
static RELOCK: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
         return 0",
    )
});

/// The backend in Redis. A server that dies or hangs and returns is survived: the first calls without it fail within
/// a second, the ones after them at once, and a few seconds after its return all work again; the log says so once each.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    pool: Pool,
    client: Client,
    prefix: &'static str,
    outage: Arc<Outage>,
    breaker: Breaker,
}

impl Redis {
    pub(crate) fn new(settings: &syfthub_config::Redis, prefix: &'static str) -> Result<Self> {
        let address = settings.url.expose().into_connection_info().map_err(|_| Error::Address)?;
        let address =
            address.set_tcp_settings(TcpSettings::default().set_nodelay(true).set_keepalive(KEEPALIVE));
        let client = Client::open(address.clone()).map_err(|_| Error::Address)?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(TIMEOUT));
        let manager = Manager::new_with_config(address, config).map_err(|_| Error::Address)?;
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(TIMEOUT))
            .create_timeout(Some(TIMEOUT))
            .recycle_timeout(Some(TIMEOUT))
            .build()
            .map_err(|_| Error::Address)?;
        Ok(Self(Arc::new(Inner {
            pool,
            client,
            prefix,
            outage: Arc::default(),
            breaker: Breaker::default(),
        })))
    }

    /// Runs one command within the time limit and keeps the record of outages.
    async fn run<T>(&self, command: impl AsyncFnOnce(&mut Connection) -> Result<T, RedisError>) -> Result<T> {
        if !self.0.breaker.admits(Instant::now()) {
            return Err(Error::Unavailable("it did not answer a moment ago".to_owned()));
        }
        let attempt = async {
            let mut connection =
                self.0.pool.get().await.map_err(|error| Error::Unavailable(error.to_string()))?;
            command(&mut connection).await.map_err(|error| sort(&error))
        };
        let late = || Error::Unavailable("no answer in time".to_owned());
        let result = tokio::time::timeout(TIMEOUT, attempt).await.unwrap_or_else(|_| Err(late()));
        if let Err(Error::Unavailable(text)) = &result {
            if self.0.breaker.failed(Instant::now()) {
                // Each of them would cost a call the whole time limit again after the server's return.
                self.0.pool.retain(|_, _| false);
            }
            self.0.outage.failed(self.0.prefix, text);
            return result;
        }
        // An error is an answer too: it is back if it was gone.
        self.0.breaker.answered();
        self.0.outage.succeeded(self.0.prefix);
        if let Err(Error::Refused(text)) = &result {
            self.0.outage.refused(self.0.prefix, text);
        }
        result
    }

    fn key(&self, kind: &str, key: &str) -> String {
        format!("{}:{kind}{key}", self.0.prefix)
    }

    pub(crate) async fn ping(&self) -> Result<()> {
        self.run(async |connection| redis::cmd("PING").query_async(connection).await).await
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        let key = self.key("", key);
        let found: Option<Vec<u8>> = self.run(async |connection| connection.get(key).await).await?;
        Ok(found.map(Bytes::from))
    }

    pub(crate) async fn put(&self, key: &str, value: Bytes, ttl: Duration) -> Result<()> {
        if ttl.is_zero() {
            return self.delete(key).await;
        }
        let key = self.key("", key);
        self.run(async |connection| connection.pset_ex(key, value.as_ref(), millis(ttl)).await).await
    }

    pub(crate) async fn put_new(&self, key: &str, value: Bytes, ttl: Duration) -> Result<bool> {
        self.set_new(self.key("", key), value.as_ref(), ttl).await
    }

    async fn set_new(&self, key: String, value: &[u8], ttl: Duration) -> Result<bool> {
        let options = SetOptions::default()
            .conditional_set(redis::ExistenceCheck::NX)
            .with_expiration(SetExpiry::PX(millis(ttl)));
        let set: Option<String> =
            self.run(async |connection| connection.set_options(key, value, options).await).await?;
        Ok(set.is_some())
    }

    pub(crate) async fn delete(&self, key: &str) -> Result<()> {
        let key = self.key("", key);
        self.run(async |connection| connection.del(key).await).await
    }

    pub(crate) async fn take(&self, key: &str) -> Result<Option<Bytes>> {
        let key = self.key("", key);
        let found: Option<Vec<u8>> = self.run(async |connection| connection.get_del(key).await).await?;
        Ok(found.map(Bytes::from))
    }

    pub(crate) async fn incr(&self, key: &str, ttl: Duration) -> Result<u64> {
        let key = self.key("count:", key);
        self.run(async |connection| INCR.key(key).arg(millis(ttl)).invoke_async(connection).await).await
    }

    pub(crate) async fn limit(&self, key: &str, rule: Rule) -> Result<Decision> {
        let (key, pace) = (self.key("limit:", key), Pace::of(rule));
        let (allowed, debt): (bool, i64) = self
            .run(async |connection| {
                LIMIT.key(key).arg(pace.step).arg(pace.window).invoke_async(connection).await
            })
            .await?;
        Ok(Decision::from_debt(rule, pace, allowed, debt))
    }

    pub(crate) async fn lock(&self, key: &str, token: &str, ttl: Duration) -> Result<bool> {
        self.set_new(self.key("lock:", key), token.as_bytes(), ttl).await
    }

    pub(crate) async fn unlock(&self, key: &str, token: &str) -> Result<bool> {
        let key = self.key("lock:", key);
        self.run(async |connection| UNLOCK.key(key).arg(token).invoke_async(connection).await).await
    }

    pub(crate) async fn relock(&self, key: &str, token: &str, ttl: Duration) -> Result<bool> {
        let key = self.key("lock:", key);
        self.run(async |connection| {
            RELOCK.key(key).arg(token).arg(millis(ttl)).invoke_async(connection).await
        })
        .await
    }

    pub(crate) async fn publish(&self, channel: &str, message: Bytes) -> Result<()> {
        let channel = self.key("channel:", channel);
        self.run(async |connection| connection.publish(channel, message.as_ref()).await).await
    }

    pub(crate) async fn subscribe(&self, channel: &str) -> Messages {
        let channel = self.key("channel:", channel);
        let outage = Arc::clone(&self.0.outage);
        let mut subscription =
            Subscription::new(self.0.client.clone(), outage, self.0.prefix, channel, TIMEOUT);
        subscription.connect().await;
        subscription.into_stream()
    }
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("prefix", &self.0.prefix).finish_non_exhaustive()
    }
}

/// Whole milliseconds, at least one: zero would be an error in Redis.
fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).clamp(1, i64::MAX as u64 / 2)
}

/// Tells an error that the server sent from one that means it is not there.
fn sort(error: &RedisError) -> Error {
    let gone = error.is_io_error() || error.is_connection_dropped() || error.is_timeout();
    // While it loads its data after a start, the server answers with `LOADING`.
    if gone || error.code() == Some("LOADING") || error.is_connection_refusal() {
        Error::Unavailable(error.to_string())
    } else {
        Error::Refused(error.to_string())
    }
}
