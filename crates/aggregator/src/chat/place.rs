//! Where an endpoint is published, so that a token which we mint goes nowhere else.

use std::collections::BTreeSet;
use std::time::Duration;

use syfthub_config::Secret;
use syfthub_proto::directory::{Endpoint, ResolveEndpointsRequest};
use syfthub_rpc::{Peer, status, stubs, with_deadline};
use url::Url;

use super::ask::EndpointRef;

/// Longest wait for the directory.
const DEADLINE: Duration = Duration::from_secs(5);
/// Paths per call, the limit of the contract.
const MAX_PATHS: usize = 50;

/// A path together with the address at which it is served.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place {
    owner: String,
    slug: String,
    address: String,
}

impl Place {
    /// Where the caller says that an endpoint is; `None` for one without owner or usable address.
    pub(super) fn of(endpoint: &EndpointRef) -> Option<Self> {
        Self::new(endpoint.owner_username.as_deref()?, &endpoint.slug, &endpoint.url)
    }

    fn published(endpoint: &Endpoint) -> Option<Self> {
        Self::new(&endpoint.owner_username, &endpoint.slug, &endpoint.url)
    }

    fn new(owner: &str, slug: &str, url: &str) -> Option<Self> {
        if owner.is_empty() || slug.is_empty() {
            return None;
        }
        let address = Url::parse(url).ok()?.as_str().trim_end_matches('/').to_owned();
        Some(Self { owner: owner.to_lowercase(), slug: slug.to_lowercase(), address })
    }

    /// Who publishes it, and so the audience of its tokens.
    pub(super) fn owner(&self) -> &str {
        &self.owner
    }

    fn path(&self) -> String {
        format!("{}/{}", self.owner, self.slug)
    }
}

/// Those of `places` that the directory confirms to the viewer behind `credential`; none when it cannot
/// be asked.
pub(super) async fn confirmed(hub: &Peer, credential: &Secret, places: BTreeSet<Place>) -> BTreeSet<Place> {
    let paths: BTreeSet<String> = places.iter().map(Place::path).take(MAX_PATHS).collect();
    let credential = credential.expose().to_owned();
    let request = ResolveEndpointsRequest { credential, paths: paths.into_iter().collect() };
    let request = with_deadline(tonic::Request::new(request), DEADLINE);
    match stubs::directory_client(hub.clone()).resolve_endpoints(request).await {
        Ok(response) => {
            let published: BTreeSet<Place> =
                response.into_inner().endpoints.iter().filter_map(Place::published).collect();
            let (good, other): (BTreeSet<_>, BTreeSet<_>) =
                places.into_iter().partition(|place| published.contains(place));
            for place in other {
                tracing::info!(target: super::TARGET, path = place.path(), "chat.tokens.unpublished_address");
            }
            good
        }
        Err(refusal) => {
            let error = status::from_status(&refusal);
            tracing::warn!(target: super::TARGET, code = error.code.name(), "chat.tokens.unresolved");
            BTreeSet::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_same_with_and_without_what_means_nothing() {
        let place = |owner, url| Place::new(owner, "docs", url);
        let base = place("bob", "https://node.example/space");
        assert!(base.is_some());
        for same in ["https://node.example/space/", "HTTPS://Node.Example:443/space"] {
            assert_eq!(place("Bob", same), base, "{same}");
        }
        for other in [
            "http://node.example/space",
            "https://node.example:8443/space",
            "https://node.example/other",
            "https://x@node.example/space",
            "https://node.example.evil.org/space",
        ] {
            assert_ne!(place("bob", other), base, "{other}");
        }
        for nowhere in [place("", "https://node.example"), place("bob", ""), place("bob", "/path")] {
            assert_eq!(nowhere, None);
        }
    }
}
