//! Masks secrets in retrieved text: private keys, access keys, tokens, passwords in assignments and
//! addresses. Documents of whole folders are published, and sometimes a key is among them; neither a model nor a
//! caller should get it from us.
//!
//! One automaton looks for the few words that such secrets begin with; only where one is found a closer
//! look follows. A mask says what was there: `[masked: GitHub token]`.

mod look;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};

use look::Look;

/// The words that secrets begin with, and how to look closer. Case does not matter here.
const SIGNS: &[(&str, Look)] = &[
    ("-----BEGIN ", Look::PemBlock),
    ("AKIA", Look::AwsKeyId),
    ("ASIA", Look::AwsKeyId),
    ("ghp_", Look::token("GitHub token", "ghp_", 30)),
    ("gho_", Look::token("GitHub token", "gho_", 30)),
    ("ghu_", Look::token("GitHub token", "ghu_", 30)),
    ("ghs_", Look::token("GitHub token", "ghs_", 30)),
    ("ghr_", Look::token("GitHub token", "ghr_", 30)),
    ("github_pat_", Look::token("GitHub token", "github_pat_", 40)),
    ("glpat-", Look::token("GitLab token", "glpat-", 20)),
    ("xoxb-", Look::token("Slack token", "xoxb-", 20)),
    ("xoxp-", Look::token("Slack token", "xoxp-", 20)),
    ("xoxa-", Look::token("Slack token", "xoxa-", 20)),
    ("xoxr-", Look::token("Slack token", "xoxr-", 20)),
    ("xoxs-", Look::token("Slack token", "xoxs-", 20)),
    ("xapp-", Look::token("Slack token", "xapp-", 20)),
    ("hooks.slack.com/services/", Look::SlackHook),
    ("sk_live_", Look::token("Stripe key", "sk_live_", 16)),
    ("sk_test_", Look::token("Stripe key", "sk_test_", 16)),
    ("rk_live_", Look::token("Stripe key", "rk_live_", 16)),
    ("rk_test_", Look::token("Stripe key", "rk_test_", 16)),
    ("whsec_", Look::token("Stripe key", "whsec_", 24)),
    ("AIza", Look::token("Google API key", "AIza", 35)),
    ("ya29.", Look::token("Google token", "ya29.", 20)),
    ("GOCSPX-", Look::token("Google client secret", "GOCSPX-", 20)),
    ("sk-ant-", Look::token("Anthropic API key", "sk-ant-", 20)),
    ("sk-", Look::SkKey),
    ("hf_", Look::token("Hugging Face token", "hf_", 30)),
    ("npm_", Look::token("npm token", "npm_", 36)),
    ("pypi-", Look::token("PyPI token", "pypi-", 50)),
    ("SG.", Look::token("SendGrid key", "SG.", 60)),
    ("syft_pat_", Look::token("SyftHub token", "syft_pat_", 20)),
    ("eyJ", Look::Jwt),
    ("bearer ", Look::Bearer),
    ("://", Look::UserInfo),
    ("password", Look::assignment("password")),
    ("passwd", Look::assignment("password")),
    ("passphrase", Look::assignment("password")),
    ("pwd", Look::assignment("password")),
    ("secret", Look::assignment("secret")),
    ("token", Look::assignment("token")),
    ("api_key", Look::assignment("API key")),
    ("apikey", Look::assignment("API key")),
    ("api-key", Look::assignment("API key")),
    ("api key", Look::assignment("API key")),
    ("access_key", Look::assignment("access key")),
    ("access-key", Look::assignment("access key")),
    ("accesskey", Look::assignment("access key")),
    ("accountkey", Look::assignment("access key")),
    ("secret_key", Look::assignment("secret key")),
    ("secretkey", Look::assignment("secret key")),
    ("private_key", Look::assignment("private key")),
    ("privatekey", Look::assignment("private key")),
    ("authorization", Look::assignment("credential")),
];

/// Without it the signs would have to be looked for one by one. `None` cannot be: a test builds it.
static FINDER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::LeftmostLongest)
        .kind(Some(AhoCorasickKind::DFA))
        .build(SIGNS.iter().map(|(sign, _)| sign))
        .ok()
});

/// A text with its secrets masked, and how many of which kind there were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masked<'a> {
    /// The text, borrowed when there was nothing to mask.
    pub text: Cow<'a, str>,
    /// Kind of secret and number.
    pub found: BTreeMap<&'static str, usize>,
}

/// Masks every secret in `text`.
pub fn mask(text: &str) -> Masked<'_> {
    let mut masked = String::new();
    let (mut copied, mut at, mut dead) = (0, 0, 0);
    let mut found = BTreeMap::new();
    while let Some((kind, range, next)) = find(text, at, &mut dead) {
        masked.push_str(&text[copied..range.start]);
        masked.push_str("[masked: ");
        masked.push_str(kind);
        masked.push(']');
        *found.entry(kind).or_insert(0) += 1;
        (copied, at) = (range.end, next);
    }
    if found.is_empty() {
        return Masked { text: Cow::Borrowed(text), found };
    }
    masked.push_str(&text[copied..]);
    Masked { text: Cow::Owned(masked), found }
}

/// The first secret from `at`: its kind, where it is, and where to look on.
fn find(text: &str, mut at: usize, dead: &mut usize) -> Option<(&'static str, Range<usize>, usize)> {
    let finder = FINDER.as_ref()?;
    while let Some(sign) = finder.find(Input::new(text).span(at..text.len())) {
        let (word, look) = &SIGNS[sign.pattern().as_usize()];
        if let Some((kind, range)) = look.closer(text, sign.start()..sign.start() + word.len(), dead) {
            // A look may find that a secret reaches into what was masked before; never go back.
            if range.start >= at && !range.is_empty() {
                return Some((kind, range.clone(), range.end));
            }
        }
        // Signs may overlap: `secret_key` holds `secret`. All begin with ASCII.
        at = sign.start() + 1;
    }
    None
}

#[cfg(test)]
mod tests;
