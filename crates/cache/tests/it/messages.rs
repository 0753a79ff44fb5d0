//! Publishing and subscribing.

use bytes::Bytes;
use futures::StreamExt;

use crate::Subject;

crate::both!(every_subscriber_gets_every_message_of_its_channel, nobody_listening_is_no_error);

async fn every_subscriber_gets_every_message_of_its_channel(subject: Subject) {
    let cache = &subject.cache;
    cache.publish("news", "before").await.unwrap();
    let mut first = cache.subscribe("news").await;
    let mut second = cache.subscribe("news").await;
    let mut other = cache.subscribe("other").await;
    for text in ["one", "two"] {
        cache.publish("news", text).await.unwrap();
    }
    cache.publish("other", "three").await.unwrap();
    for stream in [&mut first, &mut second] {
        assert_eq!(stream.next().await, Some(Bytes::from("one")));
        assert_eq!(stream.next().await, Some(Bytes::from("two")));
    }
    assert_eq!(other.next().await, Some(Bytes::from("three")));
}

async fn nobody_listening_is_no_error(subject: Subject) {
    drop(subject.cache.subscribe("news").await);
    subject.cache.publish("news", "x").await.unwrap();
}
