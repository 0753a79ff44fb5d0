//! Keeps the node's endpoints published: once at the start, then a health report every minute, and again
//! from the beginning when the hub was away or has forgotten them.

use std::sync::PoisonError;
use std::time::Duration;

use syfthub_domain::{SharedClock, Slug};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{Hub, HubError, Offer};
use crate::server::gate::Standing;

/// First pause after a failure; it doubles up to the time between two reports.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Time for the farewell.
const FAREWELL: Duration = Duration::from_secs(2);

/// How far publication is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Publication {
    /// Not yet; the hub may be away.
    Waiting,
    /// Published under these paths.
    Published(Vec<String>),
    /// The hub said no, for this reason. It is tried again, since somebody may fix it.
    Refused(String),
}

/// Publishes.
#[derive(Debug)]
pub(crate) struct Publisher {
    pub(crate) hub: Hub,
    pub(crate) offers: Vec<Offer>,
    pub(crate) public_url: Url,
    pub(crate) every: Duration,
    pub(crate) clock: SharedClock,
    /// The issuer that tokens must name, if the publisher says so.
    pub(crate) issuer: Option<String>,
    pub(crate) owner: Standing,
    pub(crate) state: watch::Sender<Publication>,
}

impl Publisher {
    /// Publishes and reports until `stop`, then says good-bye.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut published = false;
        let mut failures = 0_u32;
        loop {
            let turn = async {
                if !published {
                    self.publish().await?;
                }
                self.report().await
            };
            let result = tokio::select! {
                () = stop.cancelled() => break,
                result = turn => result,
            };
            let pause = match result {
                Ok(all_known) => {
                    if failures > 0 {
                        tracing::info!(failures, "node.hub.back");
                    }
                    failures = 0;
                    published = all_known;
                    if all_known { self.every } else { FIRST_PAUSE }
                }
                Err(error) => {
                    self.failed(&error, failures);
                    failures = failures.saturating_add(1);
                    published = false;
                    jittered(FIRST_PAUSE.saturating_mul(1 << failures.min(10)).min(self.every))
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.farewell().await;
    }

    async fn publish(&self) -> Result<(), HubError> {
        let owner = self.hub.me(self.issuer.as_deref()).await?;
        let before = self.owner.write().unwrap_or_else(PoisonError::into_inner).replace(owner.clone());
        if let Some(before) = before.filter(|before| before.username != owner.username) {
            tracing::warn!(before = before.username, now = owner.username, "node.owner.changed");
        }
        for offer in &self.offers {
            self.hub.publish(offer, &self.public_url).await?;
        }
        let paths: Vec<String> =
            self.offers.iter().map(|offer| format!("{}/{}", owner.username, offer.slug)).collect();
        tracing::info!(paths = paths.join(", "), url = %self.public_url, "node.published");
        self.state.send_replace(Publication::Published(paths));
        Ok(())
    }

    /// Reports health; `false` when the hub does not know all endpoints any more.
    async fn report(&self) -> Result<bool, HubError> {
        let unknown = self.send_report(true).await?;
        Ok(unknown == 0)
    }

    async fn send_report(&self, healthy: bool) -> Result<u64, HubError> {
        let slugs: Vec<Slug> = self.offers.iter().map(|offer| offer.slug.clone()).collect();
        // Two reports may be lost before the hub takes the node for gone.
        let ttl = self.every * 3;
        self.hub.report(&slugs, healthy, ttl, &self.public_url, self.clock.now()).await
    }

    /// Said once when it begins, not at every try.
    fn failed(&self, error: &HubError, failures: u32) {
        match error {
            HubError::Away { .. } if failures == 0 => tracing::warn!(%error, "node.hub.away"),
            HubError::Away { .. } => {}
            HubError::Refused(reason) => {
                let news = Publication::Refused(reason.clone());
                if *self.state.borrow() != news {
                    tracing::error!(%reason, "node.hub.refused");
                    self.state.send_replace(news);
                }
            }
        }
    }

    /// Tells the hub that the node is going, so that nobody waits for it.
    async fn farewell(&self) {
        if !matches!(*self.state.borrow(), Publication::Published(_)) {
            return;
        }
        match tokio::time::timeout(FAREWELL, self.send_report(false)).await {
            Ok(Ok(_)) => tracing::info!("node.withdrawn"),
            Ok(Err(error)) => tracing::debug!(%error, "node.withdrawal_failed"),
            Err(_) => tracing::debug!("node.withdrawal_timed_out"),
        }
    }
}

/// Up to a quarter more or less, so that many nodes do not return in step after the hub was away.
fn jittered(pause: Duration) -> Duration {
    let random = f64::from(uuid::Uuid::new_v4().as_bytes()[0]) / 255.0;
    pause.mul_f64(0.75 + random / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_vary_by_a_quarter() {
        for _ in 0..100 {
            let pause = jittered(Duration::from_secs(4));
            assert!(pause >= Duration::from_secs(3) && pause <= Duration::from_secs(5));
        }
    }
}
