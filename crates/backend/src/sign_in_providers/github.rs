//! GitHub, or a GitHub Enterprise server: people are sent there and come back with a code.
//!
//! Three calls in plain forms and JSON. GitHub tells a code that it refuses with status 200, which an OAuth library
//! takes for an answer that it cannot read.

use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderName, HeaderValue, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use syfthub_config::{GitHubSignIn, Secret};
use syfthub_domain::{Email, Error, ErrorCode, Result, SignInProvider};
use syfthub_egress::{Client, Limits, Request};
use url::Url;

use super::provider::{CodeFlow, Profile, name, picture};

/// Largest answer that is read, in bytes. Somebody may have a hundred mail addresses.
const MAX_ANSWER: usize = 256 * 1024;
/// The version of the interface that this was written for.
const VERSION: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-github-api-version"), HeaderValue::from_static("2022-11-28"));
/// What the hub asks people to let it read: who they are, and their mail addresses.
const SCOPE: &str = "read:user user:email";
/// Where GitHub sends browsers back to, below the hub's public address.
pub(super) const CALLBACK: &str = "/api/v1/auth/github/callback";

#[derive(Debug)]
pub(super) struct GitHub {
    client: Client,
    client_id: String,
    client_secret: Secret,
    authorize: Url,
    token: Url,
    user: Url,
    emails: Url,
    callback: String,
}

/// A refusal comes with status 200 too.
#[derive(Deserialize)]
struct TokenAnswer {
    access_token: Option<TokenText>,
    error: Option<String>,
}

/// A text that is a [`Secret`] from the moment it is read.
struct TokenText(Secret);

impl<'de> Deserialize<'de> for TokenText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}

#[derive(Deserialize)]
struct User {
    id: u64,
    login: String,
    name: Option<String>,
    avatar_url: Option<String>,
}

#[derive(Deserialize)]
struct MailAddress {
    email: String,
    primary: bool,
    verified: bool,
}

impl GitHub {
    /// `origin` is the hub's public address without a trailing slash.
    pub(super) fn new(settings: &GitHubSignIn, origin: &str) -> Result<Self> {
        let limits =
            Limits { connect: Duration::from_secs(5), total: Duration::from_secs(10), max_body: MAX_ANSWER };
        let at = |base: &str, path: &str| Url::parse(&format!("{base}{path}")).map_err(Error::internal);
        Ok(Self {
            client: Client::operator(limits).map_err(Error::internal)?,
            client_id: settings.client_id.clone(),
            client_secret: settings.client_secret.clone(),
            authorize: at(&settings.url, "/login/oauth/authorize")?,
            token: at(&settings.url, "/login/oauth/access_token")?,
            user: at(&settings.api_url, "/user")?,
            emails: at(&settings.api_url, "/user/emails")?,
            callback: format!("{origin}{CALLBACK}"),
        })
    }

    async fn access_token(&self, code: &Secret, verifier: &Secret) -> Result<Secret> {
        let form = [
            ("client_id", self.client_id.as_str()),
            ("client_secret", self.client_secret.expose()),
            ("code", code.expose()),
            ("redirect_uri", &self.callback),
            ("code_verifier", verifier.expose()),
        ];
        let request = self.client.post(self.token.clone()).form(&form);
        let answer: TokenAnswer = read(request.header(header::ACCEPT, JSON), "token").await?;
        match (answer.error.as_deref(), answer.access_token) {
            (None, Some(TokenText(token))) if !token.is_empty() => Ok(token),
            (Some(why @ ("incorrect_client_credentials" | "redirect_uri_mismatch")), _) => {
                tracing::warn!(target: "syfthub.api.auth", why, "github.misconfigured");
                Err(failed("the application's id, secret or callback URL is not the one GitHub knows"))
            }
            (Some(_), _) => Err(refused()),
            (None, _) => Err(failed("the answer has neither a token nor an error")),
        }
    }

    async fn ask<T: DeserializeOwned>(&self, url: &Url, token: &Secret, what: &'static str) -> Result<T> {
        let (name, version) = VERSION;
        let request = self.client.get(url.clone()).bearer(token).header(name, version);
        read(request.header(header::ACCEPT, HeaderValue::from_static("application/vnd.github+json")), what)
            .await
    }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Sends a request and reads the answer. What it says is never passed on, nor how it failed.
async fn read<T: DeserializeOwned>(request: Request, what: &'static str) -> Result<T> {
    let answer = async { request.send().await?.require_success()?.json_capped(MAX_ANSWER).await };
    answer.await.map_err(|error: syfthub_egress::Error| {
        tracing::warn!(target: "syfthub.api.auth", %error, what, "github.failed");
        failed(error)
    })
}

fn failed(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let text = "GitHub did not answer as it should; try again in a moment";
    Error::new(ErrorCode::UpstreamFailed, text).with_source(why)
}

fn refused() -> Error {
    let text = "GitHub refused to finish this sign-in; begin again";
    Error::coded(ErrorCode::BadRequest, text).with_extra("reason", "provider_refused")
}

fn no_mail() -> Error {
    let text =
        "Your GitHub account has no verified primary mail address; verify one at GitHub, then begin again";
    Error::forbidden(text).with_extra("reason", "no_verified_email")
}

/// The address that somebody chose at GitHub, if GitHub has verified it.
fn primary(addresses: &[MailAddress]) -> Option<Email> {
    let chosen = addresses.iter().find(|address| address.primary && address.verified)?;
    Email::parse(&chosen.email).ok()
}

#[async_trait]
impl CodeFlow for GitHub {
    fn enabled(&self) -> Result<()> {
        Ok(())
    }

    fn authorize_url(&self, state: &str, challenge: &str) -> Result<Url> {
        let mut url = self.authorize.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", &self.callback)
            .append_pair("scope", SCOPE)
            .append_pair("state", state)
            .append_pair("code_challenge", challenge)
            .append_pair("code_challenge_method", "S256");
        Ok(url)
    }

    async fn exchange(&self, code: &Secret, verifier: &Secret) -> Result<Profile> {
        let token = self.access_token(code, verifier).await?;
        let (user, addresses): (User, Vec<MailAddress>) = futures::try_join!(
            self.ask(&self.user, &token, "user"),
            self.ask(&self.emails, &token, "mail addresses"),
        )?;
        let email = primary(&addresses).ok_or_else(no_mail)?;
        let login = name(&user.login).ok_or_else(|| failed("the user has no name"))?;
        Ok(Profile {
            provider: SignInProvider::Github,
            // Names can be changed, and given to somebody else afterwards.
            subject: user.id.to_string(),
            full_name: user.name.as_deref().and_then(name).unwrap_or_else(|| login.clone()),
            label: login,
            avatar_url: user.avatar_url.as_deref().and_then(picture),
            email,
        })
    }
}
