//! Redis dies and returns.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt;
use syfthub_cache::{Cache, Error};
use syfthub_config::{Rule, Secret};
use syfthub_testing::wait;
use tracing::instrument::WithSubscriber;

use crate::{Subject, connect};

const LONG: Duration = Duration::from_mins(5);

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn count(&self, text: &str) -> usize {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap().matches(text).count()
    }
}

#[tokio::test]
async fn calls_fail_quickly_while_it_is_gone_and_work_when_it_is_back() {
    let subject = Subject::redis().await;
    let (cache, lines) = (subject.cache.clone(), Lines::default());
    let writer = lines.clone();
    let log = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
    let work = async {
        cache.put("k", "x", LONG).await.unwrap();
        for round in 1..=2 {
            subject.server().stop().await;
            for _ in 0..3 {
                let begun = Instant::now();
                let failed = cache.get("k").await.unwrap_err();
                assert!(matches!(failed, Error::Unavailable(_)), "{failed:?}");
                assert!(begun.elapsed() < Duration::from_secs(5));
                assert!(cache.limit("k", Rule::per_seconds(1, 1)).await.is_err());
            }
            assert_eq!(lines.count("cache.redis.unavailable"), round);
            subject.server().start().await;
            wait::until(async || cache.ping().await.is_ok(), "the cache to recover").await;
            cache.put("k", "y", LONG).await.unwrap();
            assert_eq!(cache.get("k").await.unwrap(), Some(Bytes::from("y")));
            assert_eq!(lines.count("cache.redis.recovered"), round);
        }
    };
    work.with_subscriber(log).await;
    assert_eq!(lines.count("WARN"), 4);
}

#[tokio::test]
async fn a_full_server_refuses_and_the_log_says_so_once() {
    let subject = Subject::redis().await;
    let (cache, lines) = (subject.cache.clone(), Lines::default());
    let writer = lines.clone();
    let log = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
    let client = redis::Client::open(subject.server().url.as_str()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut full = redis::cmd("CONFIG");
    let () = full.arg("SET").arg("maxmemory").arg("1").query_async(&mut connection).await.unwrap();
    let work = async {
        for _ in 0..3 {
            let refused = cache.limit("k", Rule::per_seconds(1, 1)).await.unwrap_err();
            assert!(matches!(refused, Error::Refused(_)), "{refused:?}");
            assert!(matches!(cache.put("k", "x", LONG).await, Err(Error::Refused(_))));
            assert_eq!(cache.get("k").await.unwrap(), None, "reads still work");
        }
    };
    work.with_subscriber(log).await;
    assert_eq!((lines.count("cache.redis.refused"), lines.count("WARN")), (1, 1));
}

#[tokio::test]
async fn scripts_survive_a_server_that_forgot_them() {
    let subject = Subject::redis().await;
    let rule = Rule::per_seconds(5, 60);
    assert_eq!(subject.cache.limit("k", rule).await.unwrap().remaining, 4);
    subject.server().stop().await;
    subject.server().start().await;
    let back = async || subject.cache.limit("other", rule).await.is_ok();
    wait::until(back, "limits to work again").await;
    assert_eq!(subject.cache.limit("k", rule).await.unwrap().remaining, 4);
}

#[tokio::test]
async fn a_subscription_finds_its_way_back() {
    let subject = Subject::redis().await;
    let mut messages = subject.cache.subscribe("news").await;
    subject.cache.publish("news", "before").await.unwrap();
    assert_eq!(messages.next().await, Some(Bytes::from("before")));
    subject.server().stop().await;
    subject.server().start().await;
    // Publishing until one arrives: when the subscription is back is up to it.
    let publish = async {
        loop {
            let _ = subject.cache.publish("news", "after").await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let received = tokio::select! {
        received = messages.next() => received,
        () = publish => None,
    };
    assert_eq!(received, Some(Bytes::from("after")));
}

#[tokio::test]
async fn a_server_that_is_not_there_yet_delays_nothing() {
    let subject = Subject::redis().await;
    subject.server().stop().await;
    let early = connect(subject.server(), "early");
    let mut messages = early.subscribe("news").await;
    assert!(early.ping().await.is_err());
    subject.server().start().await;
    wait::until(async || early.ping().await.is_ok(), "the cache to connect").await;
    let publish = async {
        loop {
            let _ = early.publish("news", "x").await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        received = messages.next() => assert_eq!(received, Some(Bytes::from("x"))),
        () = publish => {}
    }
}

#[tokio::test]
async fn services_do_not_see_each_others_keys() {
    let subject = Subject::redis().await;
    let (one, two) = (connect(subject.server(), "one"), connect(subject.server(), "two"));
    one.put("k", "1", LONG).await.unwrap();
    assert_eq!(two.get("k").await.unwrap(), None);
    assert_eq!(connect(subject.server(), "one").get("k").await.unwrap(), Some(Bytes::from("1")));
}

#[test]
fn an_address_that_is_none_is_an_error_without_its_password() {
    let url = Secret::new("http://user:hunter2@example.com");
    let refused = Cache::redis(&syfthub_config::Redis { url }, "test").unwrap_err();
    assert_eq!(refused, Error::Address);
    assert!(!refused.to_string().contains("hunter2"));
}
