//! The two clients.

use std::fmt;
use std::time::Duration;

use http::Method;
use syfthub_config::{Egress, EgressAllow};
use url::Url;

use crate::error::Error;
use crate::guard::{Guard, GuardedResolver, Names, check_form, system_names};
use crate::request::Request;
use crate::tls::install_tls;

/// Idle connections kept per host.
const IDLE_PER_HOST: usize = 32;

/// How long an idle connection is kept.
const IDLE_TIME: Duration = Duration::from_mins(1);

/// Bounds of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time to resolve, connect and shake hands.
    pub connect: Duration,
    /// Time for the whole call, the body included; [`Request::timeout`] changes it for one call.
    pub total: Duration,
    /// Largest body in bytes, counted after decompression.
    pub max_body: usize,
}

impl Default for Limits {
    /// 5 s to connect, 30 s in all, 10 MiB.
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), total: Duration::from_secs(30), max_body: 10 * 1024 * 1024 }
    }
}

/// What a client believes of the world outside. By default that is what the system says.
#[derive(Clone, Default)]
pub struct Outside {
    /// Tells the addresses of names.
    pub names: Option<Names>,
    /// Certificates (DER) of those who vouch for servers, instead of the system's.
    pub authorities: Vec<Vec<u8>>,
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = if self.names.is_some() { "given" } else { "of the system" };
        f.debug_struct("Outside")
            .field("names", &names)
            .field("authorities", &self.authorities.len())
            .finish()
    }
}

/// Makes outbound calls. Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    /// For the ports of the hub's own internals: refuses all but public addresses.
    strict: reqwest::Client,
    guard: Option<Guard>,
    limits: Limits,
}

impl Client {
    /// A client for URLs that users supplied.
    pub fn guarded(settings: &Egress, limits: Limits) -> Result<Self, Error> {
        Self::guarded_in(&Outside::default(), settings, limits)
    }

    /// The same in another world. The guard holds there as it does here.
    pub fn guarded_in(outside: &Outside, settings: &Egress, limits: Limits) -> Result<Self, Error> {
        let guard = Guard::new(settings);
        let names = outside.names.clone().unwrap_or_else(system_names);
        let build_for = |mode| {
            let resolver = GuardedResolver { mode, names: names.clone() };
            build(limits, Some(&resolver), &outside.authorities)
        };
        let http = build_for(guard.allow())?;
        let strict = build_for(EgressAllow::Public)?;
        Ok(Self { http, strict, guard: Some(guard), limits })
    }

    /// A client for URLs that the operator configured: no address is refused.
    pub fn operator(limits: Limits) -> Result<Self, Error> {
        let http = build(limits, None, &[])?;
        Ok(Self { strict: http.clone(), http, guard: None, limits })
    }

    /// Checks what can be told without resolving a name: form, scheme, and addresses written as
    /// numbers. [`Request::send`] repeats it and checks names too.
    pub fn check_url(&self, url: &Url) -> Result<(), Error> {
        let checked = match &self.guard {
            Some(guard) => guard.check(url),
            None => check_form(url),
        };
        checked.map_err(|reason| Error::Refused { reason })
    }

    /// Starts a GET.
    pub fn get(&self, url: Url) -> Request {
        self.request(Method::GET, url)
    }

    /// Starts a POST.
    pub fn post(&self, url: Url) -> Request {
        self.request(Method::POST, url)
    }

    /// Starts a call with any method.
    pub fn request(&self, method: Method, url: Url) -> Request {
        if let Err(refused) = self.check_url(&url) {
            return Request::failed(refused);
        }
        let open = self.guard.as_ref().is_none_or(|guard| guard.mode(&url) == guard.allow());
        let http = if open { &self.http } else { &self.strict };
        Request::new(http.request(method, url), self.limits)
    }

    /// The bounds of this client.
    pub fn limits(&self) -> Limits {
        self.limits
    }
}

fn build(
    limits: Limits,
    resolver: Option<&GuardedResolver>,
    authorities: &[Vec<u8>],
) -> Result<reqwest::Client, Error> {
    install_tls();
    let setup = |error: reqwest::Error| Error::Setup(error.to_string());
    if !authorities.is_empty() {
        let parse = |der: &Vec<u8>| reqwest::Certificate::from_der(der).map_err(setup);
        let authorities = authorities.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        return builder(limits, resolver).tls_certs_only(authorities).build().map_err(setup);
    }
    match builder(limits, resolver).build() {
        Ok(client) => Ok(client),
        // A machine without certificate authorities can still call plain HTTP, which is all that a
        // hub on one machine needs. HTTPS calls will then fail one by one.
        Err(first) => {
            tracing::warn!(error = %first, "egress.no_certificate_authorities");
            without_authorities(limits, resolver).build().map_err(setup)
        }
    }
}

fn without_authorities(limits: Limits, resolver: Option<&GuardedResolver>) -> reqwest::ClientBuilder {
    builder(limits, resolver).tls_certs_only(std::iter::empty())
}

#[expect(clippy::disallowed_methods, reason = "the one place that makes HTTP clients")]
fn builder(limits: Limits, resolver: Option<&GuardedResolver>) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("SyftHub/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy() // a proxy would resolve names by itself, past the guard
        .referer(false)
        .connect_timeout(limits.connect)
        .timeout(limits.total)
        .pool_max_idle_per_host(IDLE_PER_HOST)
        .pool_idle_timeout(IDLE_TIME)
        .tcp_nodelay(true);
    match resolver {
        Some(resolver) => builder.dns_resolver(resolver.clone()),
        None => builder,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_certificate_authorities_still_gets_a_client() {
        install_tls();
        assert!(without_authorities(Limits::default(), None).build().is_ok());
    }
}
