//! The decision whether a URL may be called, and the resolver that makes it hold for names.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, LazyLock};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use syfthub_config::{Egress, EgressAllow};
use tokio::sync::Semaphore;
use url::{Host, Url};

use crate::address::{Class, classify};
use crate::error::{Refusal, Unresolvable};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What may be called.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    allow: EgressAllow,
    internal_ports: Arc<[u16]>,
}

impl Guard {
    pub(crate) fn new(settings: &Egress) -> Self {
        Self { allow: settings.allow, internal_ports: settings.internal_ports.as_slice().into() }
    }

    /// The mode for a port: the hub's own internals listen on some, so that on these only public
    /// addresses are called. The resolver sees no port, which is why there is one client per mode.
    pub(crate) fn mode(&self, url: &Url) -> EgressAllow {
        let port = url.port_or_known_default();
        if port.is_some_and(|port| self.internal_ports.contains(&port)) {
            EgressAllow::Public
        } else {
            self.allow
        }
    }

    pub(crate) fn allow(&self) -> EgressAllow {
        self.allow
    }

    /// Checks everything that can be told without resolving a name.
    pub(crate) fn check(&self, url: &Url) -> Result<(), Refusal> {
        check_form(url)?;
        let address = match url.host() {
            Some(Host::Ipv4(v4)) => IpAddr::V4(v4),
            Some(Host::Ipv6(v6)) => IpAddr::V6(v6),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(Refusal::Host),
        };
        if permits(self.mode(url), address) {
            Ok(())
        } else if permits(self.allow, address) {
            Err(Refusal::InternalPort)
        } else {
            Err(Refusal::Address)
        }
    }
}

/// Scheme, host and port can be called at all, and nothing is hidden in the URL.
pub(crate) fn check_form(url: &Url) -> Result<(), Refusal> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Refusal::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refusal::UserInfo);
    }
    if url.host().is_none() || url.port() == Some(0) {
        return Err(Refusal::Host);
    }
    Ok(())
}

fn permits(mode: EgressAllow, address: IpAddr) -> bool {
    match classify(address) {
        Class::Public => true,
        Class::Loopback => matches!(mode, EgressAllow::Loopback | EgressAllow::Private),
        Class::Private => mode == EgressAllow::Private,
        Class::Never => false,
    }
}

/// Questions to the system's resolver at the same time, in the whole process. Each keeps a thread until
/// it is answered, and a name that is never answered must not use up those that others need.
const MAX_LOOKUPS: usize = 64;

static LOOKUPS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(MAX_LOOKUPS)));

/// Tells the addresses of a host name. It may block.
pub type Names = Arc<dyn Fn(&str) -> std::io::Result<Vec<IpAddr>> + Send + Sync>;

/// Asks the system.
pub(crate) fn system_names() -> Names {
    Arc::new(|host| Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect()))
}

/// Resolves names for the connector and hands over only addresses that are allowed: what was checked
/// is what is dialled, so a name that changes its address between the two gains nothing.
#[derive(Clone)]
pub(crate) struct GuardedResolver {
    pub(crate) mode: EgressAllow,
    pub(crate) names: Names,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let Self { mode, names } = self.clone();
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found = look_up(Arc::clone(&LOOKUPS), move || names(&host)).await;
            let found = found.map_err(|_| Unresolvable)?;
            // The connector puts the port of the URL in.
            let found = found.into_iter().map(|address| SocketAddr::new(address, 0)).collect();
            Ok(Box::new(admit(mode, found)?.into_iter()) as Addrs)
        })
    }
}

/// Asks on a thread for work that blocks. The permit goes with the thread, not with the caller: one who
/// gives up leaves the thread behind, and it still counts.
async fn look_up<T: Send + 'static>(
    lookups: Arc<Semaphore>,
    ask: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    let permit = lookups.acquire_owned().await.map_err(std::io::Error::other)?;
    let asked = tokio::task::spawn_blocking(move || {
        let answer = ask();
        drop(permit);
        answer
    });
    asked.await.map_err(std::io::Error::other)?
}

/// Passes on the addresses of a name if all of them are allowed. One bad address spoils the name: which
/// one is dialled is not ours to choose.
fn admit(mode: EgressAllow, addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, BoxError> {
    if addresses.is_empty() {
        return Err(Unresolvable.into());
    }
    if !addresses.iter().all(|address| permits(mode, address.ip())) {
        return Err(Refusal::Address.into());
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(allow: EgressAllow, url: &str) -> Result<(), Refusal> {
        let guard = Guard::new(&Egress { allow, internal_ports: vec![9000] });
        guard.check(&Url::parse(url).unwrap())
    }

    #[test]
    fn every_spelling_of_an_internal_address_is_refused() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "127.0.0.1.",
            "0",
            "10.1.2.3",
            "169.254.169.254",
            "192.168.1.1",
            "172.16.0.1",
            "100.64.0.1",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[fe80::1]",
            "[fd00::1]",
            "[2002:7f00:1::]",
        ] {
            let url = format!("http://{host}/");
            assert_eq!(check(EgressAllow::Public, &url), Err(Refusal::Address), "{host}");
        }
        for host in ["93.184.216.34", "[2606:2800:220:1::1]", "example.com", "localhost"] {
            // A name passes here and is checked when it is resolved.
            assert_eq!(check(EgressAllow::Public, &format!("https://{host}/x")), Ok(()), "{host}");
        }
    }

    #[test]
    fn wider_modes_open_what_they_name_and_nothing_else() {
        let cases = [
            ("http://127.0.0.1/", [false, true, true]),
            ("http://[::1]:8010/", [false, true, true]),
            ("http://10.0.0.1/", [false, false, true]),
            ("http://[fd00::1]/", [false, false, true]),
            ("http://169.254.169.254/", [false, false, false]),
            ("http://[fd00:ec2::254]/", [false, false, false]),
            ("http://[fd00:ec2::253]/", [false, false, false]),
            ("http://0.0.0.0/", [false, false, false]),
            ("http://[fe80::1]/", [false, false, false]),
            ("http://127.0.0.1:9000/", [false, false, false]),
            ("http://10.0.0.1:9000/", [false, false, false]),
            ("http://93.184.216.34:9000/", [true, true, true]),
        ];
        for (url, expected) in cases {
            let modes = [EgressAllow::Public, EgressAllow::Loopback, EgressAllow::Private];
            assert_eq!(modes.map(|mode| check(mode, url).is_ok()), expected, "{url}");
        }
        assert_eq!(check(EgressAllow::Loopback, "http://127.0.0.1:9000/"), Err(Refusal::InternalPort));
    }

    #[test]
    fn other_schemes_user_names_and_missing_hosts_are_refused() {
        let cases = [
            ("ftp://example.com/", Refusal::Scheme),
            ("file:///etc/passwd", Refusal::Scheme),
            ("gopher://example.com/", Refusal::Scheme),
            ("http://user@example.com/", Refusal::UserInfo),
            ("http://:secret@example.com/", Refusal::UserInfo),
            ("http://example.com:0/", Refusal::Host),
        ];
        for (url, reason) in cases {
            assert_eq!(check(EgressAllow::Private, url), Err(reason), "{url}");
        }
    }

    #[test]
    fn one_bad_address_spoils_a_name() {
        let good: SocketAddr = "93.184.216.34:0".parse().unwrap();
        let bad: SocketAddr = "10.0.0.1:0".parse().unwrap();
        assert_eq!(admit(EgressAllow::Public, vec![good]).unwrap(), [good]);
        for mixed in [vec![good, bad], vec![bad, good]] {
            let refused = admit(EgressAllow::Public, mixed.clone()).unwrap_err();
            assert!(refused.is::<Refusal>());
            assert_eq!(admit(EgressAllow::Private, mixed.clone()).unwrap(), mixed);
        }
        assert!(admit(EgressAllow::Private, vec![]).unwrap_err().is::<Unresolvable>());
    }

    #[tokio::test]
    async fn a_lookup_that_was_given_up_counts_until_it_ends() {
        let lookups = Arc::new(Semaphore::new(1));
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (entered, inside) = tokio::sync::oneshot::channel();
        let slow = look_up(lookups.clone(), move || {
            let _ = entered.send(());
            released.recv().map_err(std::io::Error::other)
        });
        tokio::select! {
            _ = slow => panic!("the lookup cannot end before it is released"),
            entered = inside => entered.unwrap(),
        }
        assert_eq!(lookups.available_permits(), 0, "its thread is still busy");
        let next = look_up(lookups.clone(), || Ok(7));
        release.send(()).unwrap();
        assert_eq!(next.await.unwrap(), 7);
        assert_eq!(lookups.available_permits(), 1);
    }

    proptest::proptest! {
        #[test]
        fn no_url_makes_the_check_panic(text in "(http|https|ftp)://.{0,60}") {
            if let Ok(url) = Url::parse(&text) {
                let guard = Guard::new(&Egress { allow: EgressAllow::Public, internal_ports: vec![] });
                let _ = guard.check(&url);
            }
        }
    }
}
