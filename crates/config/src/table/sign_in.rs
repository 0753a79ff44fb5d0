//! Sign-in providers.

use super::{Kind, Section, SettingDoc};
use crate::Role;

const fn setting(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> SettingDoc {
    SettingDoc::new(name, Section::Optional, kind, default, doc).only(&[Role::AllInOne, Role::Backend])
}

pub(super) const SETTINGS: &[SettingDoc] = &[
    setting(
        "GOOGLE_CLIENT_ID",
        Kind::Text,
        "",
        "Id of an OAuth client of Google, of the type web application. With it people sign in with Google.",
    ),
    setting(
        "GOOGLE_JWKS_URL",
        Kind::Url,
        "https://www.googleapis.com/oauth2/v3/certs",
        "Where Google publishes the keys that its tokens are signed with.",
    ),
    setting(
        "GITHUB_CLIENT_ID",
        Kind::Text,
        "",
        "Id of an OAuth application of GitHub. With it and its secret people sign in with GitHub; its callback URL is \
         SYFTHUB_PUBLIC_URL and /api/v1/auth/github/callback.",
    ),
    setting("GITHUB_CLIENT_SECRET", Kind::Text, "", "Secret of that application.").secret(),
    setting(
        "GITHUB_URL",
        Kind::Url,
        "https://github.com",
        "Where people sign in; for a GitHub Enterprise server.",
    ),
    setting(
        "GITHUB_API_URL",
        Kind::Url,
        "https://api.github.com, or GITHUB_URL and /api/v3",
        "Where the interface of GitHub answers.",
    ),
];
