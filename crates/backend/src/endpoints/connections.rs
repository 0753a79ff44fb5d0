//! Where an endpoint is served: what is stored is a path below the owner's domain, what is shown is a
//! full address. This file is the only one that turns one into the other.

use serde_json::Value;
use url::Url;

/// Prefix of an owner domain that is a tunnel and has no HTTP address of its own.
pub(crate) const TUNNEL: &str = "tunneling:";

/// Whether a stored address already says everything, so that the owner's domain does not matter.
pub(crate) fn is_absolute(url: &str) -> bool {
    url.contains("://") || url.starts_with(TUNNEL)
}

/// The address that a client should call.
pub(crate) fn public_url(connection_type: &str, stored: &str, owner_domain: Option<&str>) -> String {
    let Some(domain) = owner_domain.filter(|domain| !domain.is_empty()) else {
        return stored.to_owned();
    };
    if is_absolute(stored) {
        return stored.to_owned();
    }
    if domain.starts_with(TUNNEL) {
        return domain.to_owned();
    }
    let base = if is_websocket(connection_type) { to_websocket(domain) } else { domain.to_owned() };
    format!("{}/{}", base.trim_end_matches('/'), stored.trim_start_matches('/'))
}

fn is_websocket(connection_type: &str) -> bool {
    ["websocket", "ws", "wss"].iter().any(|name| connection_type.eq_ignore_ascii_case(name))
}

fn to_websocket(domain: &str) -> String {
    domain.strip_prefix("http").map_or_else(|| domain.to_owned(), |rest| format!("ws{rest}"))
}

/// Shows the connections of an endpoint with full addresses.
pub(crate) fn show(connections: &[Value], owner_domain: Option<&str>) -> Vec<Value> {
    connections
        .iter()
        .map(|connection| {
            let mut shown = connection.clone();
            let kind = text(connection, "type").unwrap_or_default().to_owned();
            if let Some(url) = shown.pointer_mut("/config/url")
                && let Some(stored) = url.as_str()
            {
                *url = Value::String(public_url(&kind, stored, owner_domain));
            }
            shown
        })
        .collect()
}

/// Turns what a client sends back after reading it into what is stored, in whatever order it sends it. A client
/// that changes one field and sends the whole object would otherwise freeze the owner's current domain into the row.
pub(crate) fn restore(mut sent: Vec<Value>, stored: &[Value], owner_domain: Option<&str>) -> Vec<Value> {
    for (place, connection) in sent.iter_mut().enumerate() {
        let kind = text(connection, "type").unwrap_or_default().to_owned();
        let Some(url) = connection.pointer_mut("/config/url") else { continue };
        let Some(new) = url.as_str() else { continue };
        // The one at the same place first: behind a tunnel all are shown alike.
        let known = stored.get(place).into_iter().chain(stored);
        let mut known = known.filter_map(|before| before.pointer("/config/url").and_then(Value::as_str));
        let unchanged = known.find(|old| public_url(&kind, old, owner_domain) == new).map(str::to_owned);
        if let Some(restored) = unchanged.or_else(|| below_domain(&kind, new, owner_domain)) {
            *url = Value::String(restored);
        }
    }
    sent
}

fn below_domain(kind: &str, url: &str, owner_domain: Option<&str>) -> Option<String> {
    let domain = owner_domain?;
    let base = if is_websocket(kind) { to_websocket(domain) } else { domain.to_owned() };
    let rest = url.strip_prefix(base.trim_end_matches('/'))?;
    rest.starts_with('/').then(|| rest.to_owned())
}

/// Where a connection is served over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Served {
    /// Its owner has not said where.
    Nowhere,
    /// Behind a tunnel, which only clients of the tunnel reach.
    Tunnel,
    /// At this address, without a trailing slash.
    At(String),
}

/// The connection that the hub itself uses: the first enabled one, else the first.
pub(crate) fn preferred(connections: &[Value]) -> Option<&Value> {
    connections.iter().find(|connection| is_enabled(connection)).or_else(|| connections.first())
}

/// Where a connection is served over HTTP. What speaks WebSocket answers HTTP at the same place.
pub(crate) fn served(connection: &Value, owner_domain: Option<&str>) -> Served {
    let stored = connection.pointer("/config/url").and_then(Value::as_str).unwrap_or_default();
    let url = public_url(text(connection, "type").unwrap_or_default(), stored, owner_domain);
    if url.starts_with(TUNNEL) {
        return Served::Tunnel;
    }
    if !is_absolute(&url) {
        return Served::Nowhere;
    }
    let url = match url.strip_prefix("ws") {
        Some(rest) if rest.starts_with("://") || rest.starts_with("s://") => format!("http{rest}"),
        _ => url,
    };
    Served::At(url.trim_end_matches('/').to_owned())
}

/// What a caller needs to reach an endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Base address without a trailing slash; empty when there is none.
    pub url: String,
    /// Tenant at that address, or empty.
    pub tenant_name: String,
    /// Type of the connection in lower case, or empty when there is none.
    pub connection_type: String,
    /// Name of the model at that address, or empty.
    pub upstream_model: String,
}

/// The first enabled connection of an endpoint.
pub(crate) fn reach(connections: &[Value], owner_domain: Option<&str>) -> Reach {
    connections
        .iter()
        .find(|connection| is_enabled(connection))
        .map_or_else(Reach::default, |connection| reach_of(connection, owner_domain))
}

/// The connection at this address and for this tenant, an enabled one if there is one; `None` when the endpoint
/// is not published there.
pub(crate) fn reach_at(
    connections: &[Value],
    owner_domain: Option<&str>,
    url: &str,
    tenant_name: &str,
) -> Option<Reach> {
    let called = address(url)?;
    let is_meant = |connection: &&Value| {
        let reach = reach_of(connection, owner_domain);
        reach.tenant_name == tenant_name && address(&reach.url).as_ref() == Some(&called)
    };
    let mut meant = connections.iter().filter(is_meant);
    let first = meant.next()?;
    let enabled = std::iter::once(first).chain(meant).find(|connection| is_enabled(connection));
    Some(reach_of(enabled.unwrap_or(first), owner_domain))
}

/// An address without what means nothing in it.
pub(crate) fn address(url: &str) -> Option<String> {
    Some(Url::parse(url).ok()?.as_str().trim_end_matches('/').to_owned())
}

fn is_enabled(connection: &Value) -> bool {
    connection.get("enabled").and_then(Value::as_bool).unwrap_or(true)
}

fn reach_of(connection: &Value, owner_domain: Option<&str>) -> Reach {
    let stored = connection.pointer("/config/url").and_then(Value::as_str).unwrap_or_default();
    let kind = text(connection, "type").unwrap_or_default();
    let tenant = ["/config/tenant_name", "/config/tenantName"]
        .iter()
        .find_map(|path| connection.pointer(path).and_then(Value::as_str));
    let url = public_url(kind, stored, owner_domain);
    // A bare path leads nowhere: the owner has not said yet where the service runs.
    let url = if is_absolute(&url) { url.trim_end_matches('/').to_owned() } else { String::new() };
    let upstream_model = connection.pointer("/config/model").and_then(Value::as_str).unwrap_or_default();
    Reach {
        url,
        tenant_name: tenant.unwrap_or_default().to_owned(),
        connection_type: kind.to_ascii_lowercase(),
        upstream_model: upstream_model.to_owned(),
    }
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_is_put_below_the_owners_domain() {
        assert_eq!(public_url("http", "/v1/a", Some("https://h.example")), "https://h.example/v1/a");
        assert_eq!(public_url("http", "v1/a", None), "v1/a");
        assert_eq!(public_url("WS", "/a", Some("https://h.example")), "wss://h.example/a");
        assert_eq!(public_url("wss", "/a", Some("http://h:1")), "ws://h:1/a");
        assert_eq!(public_url("http", "/a", Some("tunneling:bob")), "tunneling:bob");
        assert_eq!(public_url("http", "http://x:1/a", Some("https://h.example")), "http://x:1/a");
    }

    #[test]
    fn reading_and_sending_back_changes_nothing_that_is_stored() {
        let stored = vec![
            json!({"type": "http", "config": {"url": "/a"}}),
            json!({"type": "ws", "config": {"url": "b"}}),
        ];
        for domain in [Some("https://h.example"), Some("tunneling:bob"), None] {
            assert_eq!(restore(show(&stored, domain), &stored, domain), stored, "{domain:?}");
        }
    }

    #[test]
    fn connections_may_be_sent_back_in_another_order() {
        let path = |url: &str| json!({"type": "http", "config": {"url": url}});
        let (stored, domain) =
            (vec![path("https://else.example/x"), path("/a"), path("b")], Some("https://h.example"));
        let mut shown = show(&stored, domain);
        shown.rotate_left(1);
        shown.insert(0, path("https://h.example/new"));
        let expected = [path("/new"), path("/a"), path("b"), path("https://else.example/x")];
        assert_eq!(restore(shown, &stored, domain), expected);
    }

    #[test]
    fn a_changed_path_is_stored_without_the_domain_and_a_foreign_address_as_it_is() {
        let stored = vec![json!({"type": "http", "config": {"url": "/a"}})];
        let domain = Some("https://h.example");
        let sent = |url: &str| vec![json!({"type": "http", "config": {"url": url}})];
        assert_eq!(restore(sent("https://h.example/b"), &stored, domain), sent("/b"));
        assert_eq!(
            restore(sent("https://other.example/b"), &stored, domain),
            sent("https://other.example/b")
        );
        assert_eq!(
            restore(sent("https://h.example.evil/b"), &stored, domain),
            sent("https://h.example.evil/b")
        );
    }

    #[test]
    fn what_the_hub_calls_is_an_http_address_or_a_tunnel() {
        let served =
            |kind: &str, url: &str, domain| served(&json!({"type": kind, "config": {"url": url}}), domain);
        let at = |url: &str| Served::At(url.to_owned());
        assert_eq!(served("http", "/a/", Some("http://h:1")), at("http://h:1/a"));
        assert_eq!(served("ws", "/a", Some("https://h")), at("https://h/a"));
        assert_eq!(served("ws", "ws://h/a", None), at("http://h/a"));
        assert_eq!(served("http", "/a", None), Served::Nowhere);
        assert_eq!(served("http", "/a", Some("tunneling:bob")), Served::Tunnel);
        let connections = [json!({"type": "a", "enabled": false}), json!({"type": "b"})];
        assert_eq!(preferred(&connections).map(|c| c["type"].clone()), Some(json!("b")));
        assert_eq!(preferred(&connections[..1]).map(|c| c["type"].clone()), Some(json!("a")));
        assert_eq!(preferred(&[]), None);
    }

    #[test]
    fn reach_takes_the_first_enabled_connection() {
        let connections = vec![
            json!({"type": "http", "enabled": false, "config": {"url": "http://no"}}),
            json!({"type": "http", "config": {"url": "/", "tenant_name": "t1"}}),
        ];
        let reach = reach(&connections, Some("http://127.0.0.1:8010"));
        assert_eq!((reach.url.as_str(), reach.tenant_name.as_str()), ("http://127.0.0.1:8010", "t1"));
        assert_eq!((reach.connection_type.as_str(), reach.upstream_model.as_str()), ("http", ""));
        assert_eq!(super::reach(&connections, None).url, "");
        let openai =
            [json!({"type": "OpenAI", "config": {"url": "https://m.example/v1/", "model": "small"}})];
        let reach = super::reach(&openai, None);
        assert_eq!((reach.url.as_str(), reach.connection_type.as_str()), ("https://m.example/v1", "openai"));
        assert_eq!(reach.upstream_model, "small");
    }
}
