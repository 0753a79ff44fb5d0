//! One contract for both backends, and what happens while Redis is away.
#![expect(clippy::unwrap_used, reason = "a failing test should panic")]

mod contract;
mod hung;
mod limits;
mod messages;
mod outage;

use std::sync::Arc;
use std::time::Duration;

use syfthub_cache::Cache;
use syfthub_config::Secret;
use syfthub_domain::{FixedClock, Timestamp};
use syfthub_testing::redis::{self, RedisServer};

/// A backend under test and the way in which time passes for it.
struct Subject {
    cache: Cache,
    clock: Option<Arc<FixedClock>>,
    server: Option<RedisServer>,
}

impl Subject {
    fn memory() -> Self {
        let clock = FixedClock::new(Timestamp::from_secs(1_800_000_000));
        Self { cache: Cache::memory(Arc::<FixedClock>::clone(&clock)), clock: Some(clock), server: None }
    }

    async fn redis() -> Self {
        let server = redis::private().await;
        Self { cache: connect(&server, "test"), clock: None, server: Some(server) }
    }

    /// Lets time pass: the injected clock is moved, or Redis, which has its own, is waited for.
    async fn pass(&self, time: Duration) {
        match &self.clock {
            Some(clock) => clock.advance(time),
            None => tokio::time::sleep(time).await,
        }
    }

    fn server(&self) -> &RedisServer {
        self.server.as_ref().unwrap()
    }
}

fn connect(server: &RedisServer, prefix: &'static str) -> Cache {
    Cache::redis(&syfthub_config::Redis { url: Secret::new(server.url.clone()) }, prefix).unwrap()
}

/// Writes one test per backend for each function of the suite.
macro_rules! both {
    ($($name:ident),+ $(,)?) => {
        mod memory {
            $(#[tokio::test] async fn $name() { super::$name(crate::Subject::memory()).await; })+
        }
        mod redis {
            $(#[tokio::test] async fn $name() { super::$name(crate::Subject::redis().await).await; })+
        }
    };
}
use both;
