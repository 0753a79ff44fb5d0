//! Public addresses, trusted proxies and outbound rules.

use std::net::IpAddr;

use ipnet::IpNet;
use url::Url;

use crate::reader::{Reader, joined, parse_networks, parse_origin, trimmed};
use crate::settings::{Database, DatabaseUrl, Egress, EgressAllow, MetricsListen, Otlp, PublicUrls, Redis};
use crate::{Aggregator, Environment, Grpc, Http, Mcp, Role, table};

/// Origins of development servers that browsers use.
const DEVELOPMENT_ORIGINS: [&str; 4] =
    ["http://localhost:3000", "http://localhost:8080", "http://localhost:5173", "http://localhost:5174"];

/// A constant address, for defaults.
pub(super) fn constant(text: &'static str) -> Url {
    // The constants are all parsed by the tests; the second text keeps this total without a panic.
    Url::parse(text).unwrap_or_else(|_| fallback())
}

fn fallback() -> Url {
    #[expect(clippy::expect_used, reason = "a constant that every test of this crate parses")]
    Url::parse("http://localhost").expect("a valid address")
}

/// Reads the public addresses.
pub(super) fn public(reader: &mut Reader, environment: Environment, http: &Http) -> PublicUrls {
    let show = |url: &Url| trimmed(url);
    let given = reader.optional("SYFTHUB_PUBLIC_URL", |_, text| parse_origin(text), show);
    let domain = domain(reader, environment);
    let issuer = reader.url("OAUTH_ISSUER");
    let issuer_origin = issuer.as_ref().and_then(|url| Url::parse(&url.origin().ascii_serialization()).ok());
    let from_listener = given.is_none() && domain.is_none() && issuer_origin.is_none();
    let public = given.or(domain).or(issuer_origin).unwrap_or_else(|| listener_url(reader.role, http));
    if from_listener && environment.is_production() {
        let message = "is not set and neither is DOMAIN: public addresses and tokens would name localhost";
        if reader.role.is_service() {
            reader.problem("SYFTHUB_PUBLIC_URL", format!("{message}; set DOMAIN=hub.example.com"));
        } else {
            reader.warnings.push(format!("SYFTHUB_PUBLIC_URL {message}"));
        }
    }
    show_derived(reader, "SYFTHUB_PUBLIC_URL", trimmed(&public));
    let origin = trimmed(&public);
    let oauth_issuer = issuer.as_ref().map_or_else(|| format!("{origin}/mcp"), trimmed);
    show_derived(reader, "OAUTH_ISSUER", oauth_issuer.clone());
    if reader.role == Role::Mcp && environment.is_production() && !is_safe_issuer(&oauth_issuer) {
        reader.problem("OAUTH_ISSUER", "must start with https:// in production");
    }
    let api_base = reader.url("API_BASE_URL").map_or_else(|| oauth_issuer.clone(), |url| trimmed(&url));
    show_derived(reader, "API_BASE_URL", api_base.clone());
    let frontend = reader.url("FRONTEND_URL").map_or_else(|| origin.clone(), |url| trimmed(&url));
    show_derived(reader, "FRONTEND_URL", frontend.clone());
    let cors_origins = reader.list("CORS_ORIGINS", default_cors(environment, &origin, &frontend));
    PublicUrls { public, api_base, oauth_issuer, frontend, cors_origins, from_listener }
}

/// Shows a derived value instead of "(not set)".
fn show_derived(reader: &mut Reader, name: &'static str, value: String) {
    if let Some(effective) = reader.effective.iter_mut().find(|effective| effective.name == name) {
        effective.value = value;
    }
}

/// `localhost` is the documented default of `DOMAIN` and what `.env.example` sets: outside production it
/// says nothing, since there is no TLS on a developer's machine.
fn domain(reader: &mut Reader, environment: Environment) -> Option<Url> {
    let parse = |text: &str| parse_origin(&format!("https://{text}"));
    let url = reader.optional("DOMAIN", |_, text| parse(text), |url| trimmed(url).replace("https://", ""))?;
    let local = url.host_str() == Some("localhost");
    (!local || environment.is_production()).then_some(url)
}

fn listener_url(role: Role, http: &Http) -> Url {
    if role.is_service() {
        // Services stand behind the proxy of the development stack.
        return constant("http://localhost:8080");
    }
    let host = match http.host {
        ip if ip.is_loopback() || ip.is_unspecified() => "localhost".to_owned(),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    Url::parse(&format!("http://{host}:{}", http.port)).unwrap_or_else(|_| fallback())
}

fn is_safe_issuer(issuer: &str) -> bool {
    // Plain HTTP is safe on this machine only, where a production stack is tried out.
    let local = |url: &Url| matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    Url::parse(issuer).is_ok_and(|url| url.scheme() == "https" || local(&url))
}

fn default_cors(environment: Environment, origin: &str, frontend: &str) -> Vec<String> {
    let mut origins = vec![origin.to_owned()];
    // A browser's origin has no path.
    let frontend =
        Url::parse(frontend).map_or_else(|_| frontend.to_owned(), |url| url.origin().ascii_serialization());
    origins.push(frontend);
    if !environment.is_production() {
        origins.extend(DEVELOPMENT_ORIGINS.iter().map(|origin| (*origin).to_owned()));
    }
    let mut unique = Vec::new();
    for origin in origins {
        if !unique.contains(&origin) {
            unique.push(origin);
        }
    }
    unique
}

/// Services stand behind a proxy. Only one on this machine is believed unasked: every neighbour in a
/// private network could otherwise choose the address that limits count by.
pub(super) fn trusted_proxies(reader: &mut Reader, environment: Environment) -> Vec<IpNet> {
    const LOOPBACK: &str = "127.0.0.0/8,::1/128";
    let service = reader.role.is_service();
    if service && environment.is_production() && !reader.sources.is_set("TRUSTED_PROXIES") {
        let message = "TRUSTED_PROXIES is not set: only a proxy on this machine may name the client's address; \
                       behind any other, all clients count as one for the limits";
        reader.warnings.push(message.to_owned());
    }
    let default = if service { parse_networks(LOOPBACK).unwrap_or_default() } else { Vec::new() };
    reader.value("TRUSTED_PROXIES", default, |_, text| parse_networks(text), |networks| joined(networks))
}

/// Where the hub's own parts listen, as far as this process knows.
pub(super) struct Internals<'s> {
    pub(super) http: &'s Http,
    pub(super) metrics: MetricsListen,
    pub(super) otlp: &'s Otlp,
    pub(super) database: &'s Database,
    pub(super) redis: Option<&'s Redis>,
    pub(super) aggregator: &'s Aggregator,
    pub(super) mcp: &'s Mcp,
    pub(super) grpc: &'s Grpc,
}

/// Reads which addresses a user's URL may reach.
pub(super) fn egress(reader: &mut Reader, environment: Environment, internals: &Internals<'_>) -> Egress {
    let private = reader.flag("AGGREGATOR_ALLOW_PRIVATE_NETWORKS", false);
    let local = internals.http.host.is_loopback() && !environment.is_production();
    let default = match (private, local) {
        (true, _) => "private",
        (false, true) => "loopback",
        (false, false) => "public",
    };
    let allow = match reader.choice("EGRESS_ALLOW", default) {
        "private" => EgressAllow::Private,
        "loopback" => EgressAllow::Loopback,
        _ => EgressAllow::Public,
    };
    Egress { allow, internal_ports: internal_ports(reader, internals) }
}

fn internal_ports(reader: &Reader, internals: &Internals<'_>) -> Vec<u16> {
    let mut ports = vec![internals.http.port];
    ports.extend(internals.metrics.0.map(|listen| listen.port()));
    ports.extend(internals.otlp.endpoint.as_deref().and_then(port_of));
    if let DatabaseUrl::Postgres(url) = &internals.database.url {
        ports.push(port_of(url.expose()).unwrap_or(5432));
    }
    ports.extend(internals.redis.map(|redis| port_of(redis.url.expose()).unwrap_or(6379)));
    if reader.role.is_service() {
        ports.extend(service_ports(reader, internals));
    }
    ports.retain(|port| *port != 0);
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// The ports of this service and of the others. Their addresses are settings of some programs only, but
/// services often share one environment, so these are looked up whoever reads them.
fn service_ports(reader: &Reader, internals: &Internals<'_>) -> Vec<u16> {
    let told = |name: &str| {
        let setting = table::find(name)?;
        reader.sources.find(setting).ok().flatten().map(|found| found.value)
    };
    let Internals { aggregator, mcp, grpc, .. } = internals;
    let addresses = [
        ("SYFTHUB_URL", aggregator.hub_url.as_str()),
        ("AGGREGATOR_SYFTHUB_URL", ""),
        ("AGGREGATOR_URL", mcp.aggregator_url.as_str()),
        ("BACKEND_GRPC_URL", grpc.hub_grpc_url.as_str()),
        ("AGGREGATOR_GRPC_URL", grpc.aggregator_grpc_url.as_str()),
    ];
    let port = |(name, known): (&str, &str)| told(name).map_or_else(|| port_of(known), |url| port_of(&url));
    let mut ports: Vec<u16> = addresses.into_iter().filter_map(port).collect();
    ports.extend(told("DATABASE_URL").as_deref().and_then(port_of));
    ports.push(grpc.listen.port());
    ports.push(told("MCP_PORT").and_then(|port| port.parse().ok()).unwrap_or(8002));
    ports
}

/// The port that an address names. The standard ports of HTTP do not count: they are those of a proxy,
/// and refusing them would refuse most of a private network.
fn port_of(url: &str) -> Option<u16> {
    Url::parse(url).ok()?.port()
}
