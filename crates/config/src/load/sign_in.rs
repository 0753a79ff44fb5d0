//! Sign-in providers.

use super::addresses::constant;
use super::optional::secret;
use crate::reader::{Reader, trimmed};
use crate::{Environment, GitHubSignIn, GoogleSignIn, Secret, SignIn};

const GOOGLE_KEYS: &str = "https://www.googleapis.com/oauth2/v3/certs";
const GITHUB: &str = "https://github.com";
const GITHUB_API: &str = "https://api.github.com";

/// Reads the settings of all of them.
pub(super) fn sign_in(reader: &mut Reader, environment: Environment) -> SignIn {
    SignIn { google: google(reader, environment), github: github(reader, environment) }
}

fn google(reader: &mut Reader, environment: Environment) -> Option<GoogleSignIn> {
    let client_id = client_id(reader, "GOOGLE_CLIENT_ID");
    let jwks_url = reader.url_or("GOOGLE_JWKS_URL", constant(GOOGLE_KEYS));
    require_tls(reader, environment, "GOOGLE_JWKS_URL", jwks_url.scheme());
    client_id.map(|client_id| GoogleSignIn { client_id, jwks_url })
}

fn github(reader: &mut Reader, environment: Environment) -> Option<GitHubSignIn> {
    let client_id = client_id(reader, "GITHUB_CLIENT_ID");
    let client_secret = secret(reader, "GITHUB_CLIENT_SECRET").filter(|secret| !secret.is_empty());
    let url = reader.url_or("GITHUB_URL", constant(GITHUB));
    require_tls(reader, environment, "GITHUB_URL", url.scheme());
    // A server of one's own has its interface below its own address.
    let api = if url.host_str() == Some("github.com") {
        constant(GITHUB_API)
    } else {
        let own = url::Url::parse(&format!("{}/api/v3", trimmed(&url)));
        own.unwrap_or_else(|_| constant(GITHUB_API))
    };
    let api_url = reader.url_or("GITHUB_API_URL", api);
    require_tls(reader, environment, "GITHUB_API_URL", api_url.scheme());
    both(reader, client_id, client_secret).map(|(client_id, client_secret)| GitHubSignIn {
        client_id,
        client_secret,
        url: trimmed(&url),
        api_url: trimmed(&api_url),
    })
}

fn client_id(reader: &mut Reader, name: &'static str) -> Option<String> {
    let parse = |text: &str| Some(text.trim().to_owned()).filter(|text| text.len() <= 255);
    reader.optional(name, |_, text| parse(text), String::clone).filter(|id| !id.is_empty())
}

/// One half alone is a mistake that would only show when somebody signs in.
fn both(reader: &mut Reader, id: Option<String>, secret: Option<Secret>) -> Option<(String, Secret)> {
    match (id, secret) {
        (Some(id), Some(secret)) => return Some((id, secret)),
        (None, None) => {}
        (Some(_), None) => {
            reader.problem("GITHUB_CLIENT_SECRET", "must be set too when GITHUB_CLIENT_ID is set");
        }
        (None, Some(_)) => {
            reader.problem("GITHUB_CLIENT_ID", "must be set too when GITHUB_CLIENT_SECRET is set");
        }
    }
    None
}

/// Whoever can change what these answer can sign in as anybody.
fn require_tls(reader: &mut Reader, environment: Environment, name: &'static str, scheme: &str) {
    if environment.is_production() && scheme != "https" {
        reader.problem(name, "must start with https:// in production");
    }
}
