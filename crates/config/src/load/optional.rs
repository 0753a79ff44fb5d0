//! Parts that a hub may do without.

use std::time::Duration;

use super::addresses::constant;
use crate::optional_settings::{FeedbackSink, Nats, Ngrok, OptionalParts};
use crate::reader::Reader;
use crate::{PublicUrls, Rule, Secret};

const NATS: &str = "nats://nats:4222";
const NGROK: &str = "https://api.ngrok.com";
const NGROK_DOMAIN: &str = "syfthub.ngrok.app";

/// Reads the settings of all of them.
pub(super) fn optional(reader: &mut Reader, public: &PublicUrls) -> OptionalParts {
    let days = reader.integer("ERROR_RETENTION_DAYS", 90);
    OptionalParts {
        nats: nats(reader, public),
        ngrok: ngrok(reader),
        feedback_sink: match reader.choice("FEEDBACK_SINK", "local") {
            "none" => FeedbackSink::None,
            _ => FeedbackSink::Local,
        },
        error_retention: Duration::from_hours(24 * u64::from(days)),
    }
}

/// Reads a secret text.
pub(super) fn secret(reader: &mut Reader, name: &'static str) -> Option<Secret> {
    // The table says that it is secret, and so it is not shown.
    reader.optional(name, |_, text| Some(Secret::new(text.trim())), |_| String::new())
}

/// Reads an address of one of these schemes, without a trailing slash.
fn address(reader: &mut Reader, name: &'static str, schemes: &[&str], default: &str) -> String {
    let parse = |text: &str| {
        let url = url::Url::parse(text).ok()?;
        (schemes.contains(&url.scheme()) && url.has_host()).then(|| text.trim_end_matches('/').to_owned())
    };
    reader.value(name, default.to_owned(), |_, text| parse(text), |url| crate::urls::masked(url))
}

fn nats(reader: &mut Reader, public: &PublicUrls) -> Nats {
    let origin = public.origin();
    let websocket = match origin.strip_prefix("https://") {
        Some(rest) => format!("wss://{rest}/nats"),
        None => format!("ws://{}/nats", origin.trim_start_matches("http://")),
    };
    let seconds = |value: u32| Duration::from_secs(u64::from(value));
    let limit = reader.integer("GUEST_PEER_TOKEN_RATE_LIMIT_MAX", 10);
    let window = reader.integer("GUEST_PEER_TOKEN_RATE_LIMIT_WINDOW_SECONDS", 60);
    Nats {
        url: address(reader, "NATS_URL", &["nats", "tls", "ws", "wss"], NATS),
        auth_token: secret(reader, "NATS_AUTH_TOKEN"),
        public_ws_url: address(reader, "NATS_WS_PUBLIC_URL", &["ws", "wss"], &websocket),
        peer_ttl: seconds(reader.integer("PEER_TOKEN_EXPIRE_SECONDS", 120)),
        guest_ttl: seconds(reader.integer("GUEST_PEER_TOKEN_EXPIRE_SECONDS", 90)),
        guest_limit: Rule::per_seconds(limit, u64::from(window)),
    }
}

fn ngrok(reader: &mut Reader) -> Option<Ngrok> {
    let is_name = |text: &str| !text.is_empty() && text.split('.').all(is_label);
    let api_url = reader.url_or("NGROK_API_URL", constant(NGROK));
    let base_domain = reader.value(
        "NGROK_BASE_DOMAIN",
        NGROK_DOMAIN.to_owned(),
        |_, text| Some(text.trim().to_ascii_lowercase()).filter(|text| is_name(text)),
        String::clone,
    );
    let api_key = secret(reader, "NGROK_API_KEY")?;
    Some(Ngrok { api_key, api_url, base_domain })
}

/// Whether a text can be one part of a domain name.
fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
