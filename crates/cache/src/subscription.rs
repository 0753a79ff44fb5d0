//! Streams of messages.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use redis::{Client, Msg};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::outage::Outage;

/// The messages of one channel; never ends.
pub type Messages = BoxStream<'static, Bytes>;

/// Pause between two attempts to connect.
const RETRY: Duration = Duration::from_millis(250);

/// Messages of one channel within this process.
pub(crate) fn in_process(receiver: broadcast::Receiver<(Arc<str>, Bytes)>, channel: Arc<str>) -> Messages {
    let next = async |(mut receiver, channel): (broadcast::Receiver<(Arc<str>, Bytes)>, Arc<str>)| loop {
        match receiver.recv().await {
            Ok((to, message)) if to == channel => return Some((message, (receiver, channel))),
            Ok(_) => {}
            Err(RecvError::Lagged(lost)) => {
                tracing::warn!(target: "syfthub.cache", lost, "cache.messages.lost");
            }
            Err(RecvError::Closed) => std::future::pending().await,
        }
    };
    futures::stream::unfold((receiver, channel), next).boxed()
}

type Incoming = Pin<Box<dyn Stream<Item = Msg> + Send>>;

/// A subscription in Redis, on a connection of its own.
pub(crate) struct Subscription {
    pub(crate) client: Client,
    pub(crate) outage: Arc<Outage>,
    pub(crate) service: &'static str,
    pub(crate) channel: String,
    pub(crate) timeout: Duration,
    incoming: Option<Incoming>,
}

impl Subscription {
    pub(crate) fn new(
        client: Client,
        outage: Arc<Outage>,
        service: &'static str,
        channel: String,
        timeout: Duration,
    ) -> Self {
        Self { client, outage, service, channel, timeout, incoming: None }
    }

    /// Connects, so that what is published from now on arrives. A failure is not final.
    pub(crate) async fn connect(&mut self) {
        let attempt = async {
            let mut connection = self.client.get_async_pubsub().await?;
            connection.subscribe(self.channel.as_str()).await?;
            Ok::<Incoming, redis::RedisError>(Box::pin(connection.into_on_message()))
        };
        let failure = match tokio::time::timeout(self.timeout, attempt).await {
            Ok(Ok(incoming)) => {
                self.outage.succeeded(self.service);
                self.incoming = Some(incoming);
                return;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no connection in time".to_owned(),
        };
        self.outage.failed(self.service, &failure);
    }

    async fn next(mut self) -> Option<(Bytes, Self)> {
        loop {
            if let Some(incoming) = &mut self.incoming {
                match incoming.next().await {
                    Some(message) => {
                        return Some((Bytes::copy_from_slice(message.get_payload_bytes()), self));
                    }
                    None => self.incoming = None,
                }
            } else {
                self.connect().await;
                if self.incoming.is_none() {
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    pub(crate) fn into_stream(self) -> Messages {
        futures::stream::unfold(self, Self::next).boxed()
    }
}
