//! The authorization server of a hub, as its command line needs it.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use http::{StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use syfthub_config::Secret;
use syfthub_domain::Clock;
use syfthub_egress::{Client, Limits, Response};
use url::Url;

use super::address;
use super::kept::Login;
use crate::terminal;

/// What every hub knows this program as.
const CLIENT_ID: &str = "syfthub-cli";
/// The grant of RFC 8628.
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Larger answers are not from a hub.
const LARGEST: usize = 256 * 1024;
/// Bounds of one call.
const LIMITS: Limits =
    Limits { connect: Duration::from_secs(5), total: Duration::from_secs(30), max_body: LARGEST };

#[derive(Debug, Deserialize)]
struct Metadata {
    #[serde(rename = "token_endpoint")]
    token: Url,
    #[serde(rename = "device_authorization_endpoint")]
    device: Option<Url>,
    #[serde(rename = "revocation_endpoint")]
    revocation: Option<Url>,
}

#[derive(Debug, Deserialize)]
struct Resource {
    resource: String,
}

/// Where to ask.
#[derive(Debug)]
pub(super) struct Server {
    client: Client,
    device: Url,
    token: Url,
    revocation: Option<Url>,
    /// The name of the hub's API.
    resource: String,
}

/// A request that waits for its person.
pub(super) struct Begun {
    pub(super) device_code: Secret,
    pub(super) user_code: String,
    pub(super) page: Url,
    pub(super) complete: Option<Url>,
    pub(super) life: Duration,
    pub(super) interval: Duration,
}

#[derive(Deserialize)]
struct DeviceAnswer {
    device_code: String,
    user_code: String,
    verification_uri: Url,
    verification_uri_complete: Option<Url>,
    expires_in: u64,
    interval: Option<u64>,
}

/// What a token endpoint gives.
#[derive(Deserialize)]
pub(super) struct Tokens {
    access_token: String,
    refresh_token: Option<String>,
    scope: Option<String>,
    expires_in: Option<i64>,
}

#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
}

/// What became of a request.
pub(super) enum Asked {
    Tokens(Tokens),
    Pending,
    SlowDown,
    Refused,
    Over,
    /// The hub did not answer; it may do so later.
    Away,
}

impl Server {
    /// Finds the authorization server of a hub.
    pub(super) async fn find(hub: &Url) -> anyhow::Result<Self> {
        let client = Client::operator(LIMITS)?;
        let base = address(hub);
        let metadata = format!("{base}/.well-known/oauth-authorization-server/mcp");
        let metadata: Metadata = get(&client, &metadata).await.with_context(|| {
            format!("no hub with sign-in answers at {base}: name the right address with --hub")
        })?;
        let resource = format!("{base}/.well-known/oauth-protected-resource/api");
        let Resource { resource } = get(&client, &resource).await?;
        let text = "this hub cannot sign you in from a terminal; make a personal access token in its settings instead";
        let device = metadata.device.context(text)?;
        // What is asked for over TLS is not told to somebody without it.
        let all = [Some(&device), Some(&metadata.token), metadata.revocation.as_ref()];
        let plain = all.into_iter().flatten().any(|url| url.scheme() != "https");
        ensure!(!(plain && hub.scheme() == "https"), "{base} names addresses without TLS; tell its operator");
        Ok(Self { client, device, token: metadata.token, revocation: metadata.revocation, resource })
    }

    /// Asks for a code.
    pub(super) async fn begin(&self, scope: &str, machine: &str) -> anyhow::Result<Begun> {
        let fields = [
            ("client_id", CLIENT_ID),
            ("scope", scope),
            ("resource", &self.resource),
            ("device_name", machine),
        ];
        let response = self.client.post(self.device.clone()).form(&fields).send().await?;
        if !response.status().is_success() {
            bail!("the hub refused: {}", refusal(response).await.in_words());
        }
        let answer: DeviceAnswer = response.json_capped(LARGEST).await?;
        Ok(Begun {
            device_code: Secret::new(answer.device_code),
            user_code: answer.user_code,
            page: answer.verification_uri,
            complete: answer.verification_uri_complete,
            life: Duration::from_secs(answer.expires_in.clamp(1, 3600)),
            interval: Duration::from_secs(answer.interval.unwrap_or(5).clamp(1, 60)),
        })
    }

    /// Asks what became of it.
    pub(super) async fn ask(&self, device_code: &Secret) -> anyhow::Result<Asked> {
        let fields =
            [("grant_type", DEVICE_CODE), ("client_id", CLIENT_ID), ("device_code", device_code.expose())];
        let Ok(response) = self.client.post(self.token.clone()).form(&fields).send().await else {
            return Ok(Asked::Away);
        };
        if response.status().is_success() {
            return Ok(Asked::Tokens(response.json_capped(LARGEST).await?));
        }
        if is_away(response.status()) {
            return Ok(Asked::Away);
        }
        let refusal = refusal(response).await;
        Ok(match refusal.error.as_str() {
            "authorization_pending" => Asked::Pending,
            "slow_down" => Asked::SlowDown,
            "access_denied" => Asked::Refused,
            "expired_token" => Asked::Over,
            _ => bail!("the hub refused: {}", refusal.in_words()),
        })
    }

    /// A sign-in out of the first tokens.
    pub(super) fn login(&self, tokens: Tokens, clock: &dyn Clock) -> anyhow::Result<Login> {
        ensure!(tokens.refresh_token.is_some(), "the hub gave no refresh token; it is too old or not a hub");
        Ok(with(Login::new(self.token.clone(), self.revocation.clone()), tokens, clock))
    }
}

/// A sign-in with the tokens that were given for it.
fn with(login: Login, tokens: Tokens, clock: &dyn Clock) -> Login {
    let ends = clock.now().as_secs().saturating_add(tokens.expires_in.unwrap_or(300));
    login.with(tokens.access_token, tokens.refresh_token, tokens.scope, ends)
}

/// Exchanges the refresh token of a sign-in; nothing comes of one that has ended.
pub(super) async fn refresh(login: Login, clock: &dyn Clock) -> anyhow::Result<Option<Login>> {
    let token = login.refresh_token();
    let fields =
        [("grant_type", "refresh_token"), ("client_id", CLIENT_ID), ("refresh_token", token.expose())];
    let client = Client::operator(LIMITS)?;
    let response = client.post(login.token_endpoint.clone()).form(&fields).send().await?;
    if response.status().is_success() {
        return Ok(Some(with(login, response.json_capped(LARGEST).await?, clock)));
    }
    let status = response.status();
    let refusal = refusal(response).await;
    if refusal.error == "invalid_grant" {
        return Ok(None);
    }
    bail!("the hub did not renew the sign-in ({status}): {}", refusal.in_words())
}

/// Ends a sign-in at its hub.
pub(super) async fn revoke(login: &Login) -> anyhow::Result<()> {
    let Some(endpoint) = login.revocation_endpoint.clone() else { return Ok(()) };
    let token = login.refresh_token();
    let fields = [("client_id", CLIENT_ID), ("token", token.expose())];
    let response = Client::operator(LIMITS)?.post(endpoint).form(&fields).send().await?;
    ensure!(response.status().is_success(), "{}", response.status());
    Ok(())
}

fn is_away(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

async fn get<T: DeserializeOwned>(client: &Client, url: &str) -> anyhow::Result<T> {
    let json = http::HeaderValue::from_static("application/json");
    let response = client.get(url.parse()?).header(header::ACCEPT, json).send().await?;
    ensure!(response.status().is_success(), "{url} answers {}", response.status());
    response.json_capped(LARGEST).await.with_context(|| format!("{url} is not what a hub answers"))
}

async fn refusal(response: Response) -> Refusal {
    response.json_capped(LARGEST).await.unwrap_or_default()
}

impl Refusal {
    fn in_words(&self) -> String {
        let text = if self.error_description.is_empty() { &self.error } else { &self.error_description };
        if text.is_empty() { "no reason given".to_owned() } else { terminal::harmless(text) }
    }
}
