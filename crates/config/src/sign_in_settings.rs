//! The settings of sign-in providers.

use url::Url;

use crate::Secret;

/// Who else may vouch for somebody who signs in; each is off until it is configured.
#[derive(Clone, Debug, Default)]
pub struct SignIn {
    /// Google.
    pub google: Option<GoogleSignIn>,
    /// GitHub, or a GitHub Enterprise server.
    pub github: Option<GitHubSignIn>,
}

/// The hub as a client of Google.
#[derive(Clone, Debug)]
pub struct GoogleSignIn {
    /// For whom Google's tokens must be; public.
    pub client_id: String,
    /// Where the keys are published with which those tokens are signed.
    pub jwks_url: Url,
}

/// The hub as an OAuth application of GitHub.
#[derive(Clone, Debug)]
pub struct GitHubSignIn {
    /// Id of the application; public.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
    /// Where people sign in, without a trailing slash.
    pub url: String,
    /// Where the interface answers, without a trailing slash.
    pub api_url: String,
}
