//! Checks of a running hub from outside.

use std::time::Duration;

use http::header;
use serde_json::Value;
use syfthub_config::Settings;
use syfthub_domain::{Clock as _, SystemClock, Timestamp};
use syfthub_egress::{Client, Limits, Response};
use url::Url;

use super::Finding;

/// Tokens live for a minute, so clocks that differ by more than this break them.
const LARGEST_SKEW: Duration = Duration::from_secs(10);
const LARGEST_ANSWER: usize = 1024 * 1024;

pub(super) async fn look_at(hub: &Url, settings: &Settings) -> Vec<Finding> {
    let limits = Limits { total: Duration::from_secs(10), ..Limits::default() };
    let client = match Client::operator(limits) {
        Ok(client) => client,
        Err(error) => return vec![Finding::fault("hub", error.to_string(), "see the message")],
    };
    let base = hub.as_str().trim_end_matches('/').to_owned();
    let health = match get(&client, &base, "/health").await {
        Ok(response) if response.status().is_success() => response,
        Ok(response) => {
            let seen = format!("{base}/health answers {}", response.status());
            let fix =
                "check that the proxy in front passes /health to the backend, and that the backend runs";
            return vec![Finding::fault("hub", seen, fix)];
        }
        Err(error) => {
            let fix = "start it with `make run` or `syfthub serve`, or name the right address with --hub";
            return vec![Finding::fault("hub", format!("{base}: {error}"), fix)];
        }
    };
    let mut findings = vec![skew(&health)];
    findings.insert(0, Finding::fine("hub", format!("{base} is healthy")));
    findings.push(signing_key(&client, &base).await);
    findings.push(hidden(&client, &base).await);
    findings.push(issuer(&base, settings));
    findings
}

async fn get(client: &Client, base: &str, path: &str) -> anyhow::Result<Response> {
    Ok(client.get(format!("{base}{path}").parse()?).send().await?)
}

fn skew(health: &Response) -> Finding {
    let date = health.headers().get(header::DATE).and_then(|value| value.to_str().ok());
    let Some(theirs) = date.and_then(parse_http_date) else {
        return Finding::fine("clock", "the hub sends no date to compare with");
    };
    let ours = SystemClock.now();
    let apart = ours.since(theirs).max(theirs.since(ours));
    if apart > LARGEST_SKEW {
        let seen = format!("this machine and the hub differ by {} s", apart.as_secs());
        return Finding::fault("clock", seen, "set both clocks by NTP: tokens live for a minute only");
    }
    Finding::fine("clock", "this machine and the hub agree")
}

/// The date format of HTTP (RFC 9110 section 5.6.7) is that of RFC 2822 with `GMT`.
fn parse_http_date(text: &str) -> Option<Timestamp> {
    let text = text.replace("GMT", "+0000");
    chrono::DateTime::parse_from_rfc2822(&text).ok().map(|moment| Timestamp::from_secs(moment.timestamp()))
}

async fn signing_key(client: &Client, base: &str) -> Finding {
    let fix = "check that /.well-known/ reaches the backend, and its log for the line with `RSA keys`";
    let keys = async {
        let response = get(client, base, "/.well-known/jwks.json").await?;
        Ok::<Value, anyhow::Error>(response.json_capped(LARGEST_ANSWER).await?)
    };
    match keys.await {
        Ok(jwks) => match jwks.get("keys").and_then(Value::as_array).map_or(0, Vec::len) {
            0 => Finding::fault("signing key", "the hub publishes no key", fix),
            count => Finding::fine("signing key", format!("{count} published")),
        },
        Err(error) => Finding::fault("signing key", error.to_string(), fix),
    }
}

async fn hidden(client: &Client, base: &str) -> Finding {
    match get(client, base, "/metrics").await {
        Ok(response) if response.status().is_success() => {
            Finding::fault("metrics", "/metrics is public", "let the proxy answer /metrics with 404")
        }
        _ => Finding::fine("metrics", "not public"),
    }
}

fn issuer(base: &str, settings: &Settings) -> Finding {
    if settings.public.from_listener || settings.public.origin() == base {
        return Finding::fine("issuer", settings.tokens.issuer.clone());
    }
    Finding::doubtful(
        "issuer",
        format!("tokens are issued by {}, but you looked at {base}", settings.tokens.issuer),
        "set SYFTHUB_PUBLIC_URL to the one address that everybody uses",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_dates_are_read() {
        assert_eq!(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Timestamp::from_secs(784_111_777)));
    }
}
