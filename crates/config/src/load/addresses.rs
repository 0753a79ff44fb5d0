//! Public addresses, trusted proxies and outbound rules.

use std::net::IpAddr;

use ipnet::IpNet;
use url::Url;

use crate::reader::{Reader, joined, parse_networks, parse_origin, trimmed};
use crate::settings::{Database, DatabaseUrl, Egress, EgressAllow, MetricsListen, PublicUrls, Redis};
use crate::{Environment, Http, Role};

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

/// Services stand behind the proxy, in a private network of containers or on loopback.
pub(super) fn trusted_proxies(reader: &mut Reader) -> Vec<IpNet> {
    const PRIVATE: &str = "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,::1/128,fc00::/7";
    let default =
        if reader.role.is_service() { parse_networks(PRIVATE).unwrap_or_default() } else { Vec::new() };
    reader.value("TRUSTED_PROXIES", default, |_, text| parse_networks(text), |networks| joined(networks))
}

/// Reads which addresses a user's URL may reach.
pub(super) fn egress(
    reader: &mut Reader,
    environment: Environment,
    http: &Http,
    metrics: MetricsListen,
    database: &Database,
    redis: Option<&Redis>,
) -> Egress {
    let private = reader.flag("AGGREGATOR_ALLOW_PRIVATE_NETWORKS", false);
    let local = http.host.is_loopback() && !environment.is_production();
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
    Egress { allow, internal_ports: internal_ports(reader.role, http, metrics, database, redis) }
}

fn internal_ports(
    role: Role,
    http: &Http,
    metrics: MetricsListen,
    database: &Database,
    redis: Option<&Redis>,
) -> Vec<u16> {
    let mut ports = vec![http.port];
    if role.is_service() {
        ports.extend([8000, 8001, 8002, 9000, 9001]);
    }
    ports.extend(metrics.0.map(|listen| listen.port()));
    let port_of =
        |url: &str, default: u16| Url::parse(url).map_or(default, |url| url.port().unwrap_or(default));
    if let DatabaseUrl::Postgres(url) = &database.url {
        ports.push(port_of(url.expose(), 5432));
    }
    ports.extend(redis.map(|redis| port_of(redis.url.expose(), 6379)));
    ports.retain(|port| *port != 0);
    ports.sort_unstable();
    ports.dedup();
    ports
}
