//! Signing in with Google and GitHub, against providers that are servers of these tests and sign with real RSA keys.

mod browser;
mod fake_github;
pub(crate) mod fake_google;
mod github;
mod github_attacks;
mod google;
mod google_forgeries;
mod links;
