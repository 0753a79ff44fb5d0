//! A Redis that takes connections and never answers, which is worse than one that is gone.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use syfthub_cache::{Cache, Error};
use syfthub_config::{Rule, Secret};
use syfthub_testing::redis;
use syfthub_testing::wait;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Stands in front of a server; while it hangs, everything is taken and nothing comes back.
struct Front {
    address: SocketAddr,
    hangs: watch::Sender<bool>,
    _work: JoinSet<()>,
}

impl Front {
    async fn of(server: &str) -> Self {
        let server: SocketAddr =
            server.trim_start_matches("redis://").trim_end_matches("/0").parse().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (hangs, is_hanging) = watch::channel(false);
        let mut work = JoinSet::new();
        work.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                connections.spawn(pass(client, server, is_hanging.clone()));
            }
        });
        Self { address, hangs, _work: work }
    }
}

async fn pass(mut client: TcpStream, server: SocketAddr, mut is_hanging: watch::Receiver<bool>) {
    let mut upstream = TcpStream::connect(server).await.unwrap();
    tokio::select! {
        biased;
        _ = is_hanging.wait_for(|hangs| *hangs) => {}
        _ = copy_bidirectional(&mut client, &mut upstream) => return,
    }
    // Whoever was connected while it hung hears nothing ever again, as after a machine that died.
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn the_first_calls_wait_the_others_fail_at_once_and_all_work_when_it_is_back() {
    let server = redis::private().await;
    let front = Front::of(&server.url).await;
    let url = Secret::new(format!("redis://{}/0", front.address));
    let cache = Cache::redis(&syfthub_config::Redis { url }, "test").unwrap();
    let rule = Rule::per_seconds(1000, 1);
    cache.put("k", "x", Duration::from_mins(5)).await.unwrap();

    front.hangs.send_replace(true);
    for call in 0..3 {
        let failed = cache.get("k").await.unwrap_err();
        assert!(matches!(failed, Error::Unavailable(_)), "call {call}: {failed:?}");
    }
    let begun = Instant::now();
    for _ in 0..300 {
        assert!(matches!(cache.get("k").await, Err(Error::Unavailable(_))));
        assert!(matches!(cache.limit("k", rule).await, Err(Error::Unavailable(_))));
    }
    // One of them may have been the one that looks whether the server is back.
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());

    front.hangs.send_replace(false);
    wait::until(async || cache.ping().await.is_ok(), "the cache to find the server again").await;
    for _ in 0..20 {
        assert_eq!(cache.get("k").await.unwrap(), Some(Bytes::from("x")));
        assert!(cache.limit("k", rule).await.unwrap().allowed);
    }
}
