//! Who is at the other end, as an address to count limits by.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use http::request::Parts;
use ipnet::IpNet;

/// Networks whose `X-Real-IP` is believed.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Arc<[IpNet]>);

impl TrustedProxies {
    /// From the setting.
    pub fn new(networks: &[IpNet]) -> Self {
        Self(networks.into())
    }

    fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// The address of the socket's other end; put on every request by [`crate::serve`]. A Unix socket
/// counts as loopback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub IpAddr);

/// The client's address: `X-Real-IP` from a trusted proxy, else the socket's other end. Never
/// `X-Forwarded-For`, whose first entry anybody can write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientIp(pub IpAddr);

impl ClientIp {
    /// What limits count by; see [`limit_bucket`].
    pub fn limit_bucket(self) -> String {
        limit_bucket(self.0)
    }
}

/// The part of an address that one client holds, as text for the key of a limit: an IPv4 address whole,
/// of an IPv6 address the first 64 bits, since every subscriber has all addresses under at least those.
pub fn limit_bucket(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let network = v6.to_bits() >> 64 << 64;
            format!("{}/64", Ipv6Addr::from_bits(network))
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ClientIp {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().copied().unwrap_or(Self(IpAddr::V4(Ipv4Addr::LOCALHOST))))
    }
}

/// Layer: works the client's address out once.
pub(crate) async fn layer(
    State(trusted): State<TrustedProxies>,
    mut request: Request,
    next: Next,
) -> Response {
    if request.extensions().get::<ClientIp>().is_none() {
        let peer = request.extensions().get::<PeerAddress>().map(|peer| peer.0);
        let client = client(peer, request.headers(), &trusted);
        request.extensions_mut().insert(client);
    }
    next.run(request).await
}

fn client(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &TrustedProxies) -> ClientIp {
    let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)).to_canonical();
    let told = || headers.get("x-real-ip")?.to_str().ok()?.trim().parse::<IpAddr>().ok();
    ClientIp(if trusted.contain(peer) { told().map_or(peer, |ip| ip.to_canonical()) } else { peer })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn whoever_holds_a_network_of_ipv6_counts_as_one() {
        let bucket = |address: &str| limit_bucket(address.parse().unwrap());
        assert_eq!(bucket("203.0.113.9"), "203.0.113.9");
        assert_eq!(bucket("::ffff:203.0.113.9"), "203.0.113.9");
        assert_eq!(bucket("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(bucket("2001:db8:1:2::1"), bucket("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(bucket("2001:db8:1:2::1"), bucket("2001:db8:1:3::1"));
    }

    #[test]
    fn only_a_trusted_proxy_may_name_the_client() {
        let trusted = TrustedProxies::new(&["10.0.0.0/8".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        headers.insert("x-real-ip", HeaderValue::from_static("203.0.113.9"));
        headers.insert("x-forwarded-for", HeaderValue::from_static("198.51.100.1"));
        let from = |peer: &str| client(Some(peer.parse().unwrap()), &headers, &trusted).0.to_string();
        assert_eq!(from("10.1.2.3"), "203.0.113.9");
        assert_eq!(from("::ffff:10.1.2.3"), "203.0.113.9");
        assert_eq!(from("192.0.2.1"), "192.0.2.1");
    }
}
