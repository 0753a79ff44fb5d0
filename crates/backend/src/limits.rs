//! Which routes are limited, and by which rule. Counted by the client's address.

use std::net::IpAddr;

use syfthub_config::{RateLimits, Rule};
use syfthub_domain::UserId;
use syfthub_web::limits::RateLimiter;
use syfthub_web::{ApiResult, limit_bucket};

/// Searches that one address may do in the time of one chat.
const SEARCHES_PER_CHAT: u32 = 5;

/// Windows of the login limit in which one account has its allowance.
const PATIENCE: u32 = 5;

/// A limited kind of request. Routes of one scope share one count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Signing in.
    Login,
    /// Signing in to one account from one address.
    LoginFromAddress,
    /// Signing in to one account from anywhere it was never signed in to from.
    LoginFromStrangers,
    /// Everything else about accounts that needs no credential.
    Auth,
    /// Changing a password, which asks for the one before.
    Password,
    /// Asking whether a mail address has an account.
    CheckEmail,
    /// Asking whether a username is free, which a form does while somebody types.
    CheckUsername,
    /// Refreshing a session.
    Refresh,
    /// Tokens for guests.
    GuestToken,
    /// Searching, which costs more than reading.
    Search,
    /// Calling endpoints through the hub.
    Invoke,
    /// Error reports of the web app.
    ErrorReport,
    /// Error reports of our own services.
    ServiceReport,
    /// Feedback, which may have a picture.
    Feedback,
    /// Peer tokens for guests.
    GuestPeerToken,
    /// Peer tokens for users, each of which takes room until it expires.
    PeerToken,
    /// Credentials of a tunnel, which are made at a provider.
    Tunnel,
    /// Inviting an endpoint to a collective, which may send a mail.
    Invitation,
    /// Paying from a wallet.
    Payment,
    /// Reading a conversation behind a link.
    SharedConversation,
}

impl Scope {
    const fn name(self) -> &'static str {
        match self {
            Self::Login => "auth-login",
            Self::LoginFromAddress => "auth-login-account",
            Self::LoginFromStrangers => "auth-login-strangers",
            Self::Auth => "auth",
            Self::Password => "auth-password",
            Self::CheckEmail => "check-email",
            Self::CheckUsername => "check-username",
            Self::Refresh => "auth-refresh",
            Self::GuestToken => "guest-token",
            Self::Search => "search",
            Self::Invoke => "invoke",
            Self::ErrorReport => "error-report",
            Self::ServiceReport => "service-report",
            Self::Feedback => "feedback",
            Self::GuestPeerToken => "guest-peer-token",
            Self::PeerToken => "peer-token",
            Self::Tunnel => "tunnel",
            Self::Invitation => "collective-invitation",
            Self::Payment => "wallet-pay",
            Self::SharedConversation => "shared-conversation",
        }
    }
}

/// Counts requests.
#[derive(Debug)]
pub(crate) struct Limits {
    limiter: RateLimiter,
    rules: RateLimits,
    guest_peer_token: Rule,
}

impl Limits {
    pub(crate) fn new(limiter: RateLimiter, rules: RateLimits, guest_peer_token: Rule) -> Self {
        Self { limiter, rules, guest_peer_token }
    }

    /// Counts one request of an address; 429 when there were too many.
    pub(crate) async fn check(&self, scope: Scope, from: IpAddr) -> ApiResult<()> {
        self.limiter.check(scope.name(), &limit_bucket(from), self.rule(scope)).await
    }

    /// The same for what must never be open: without counters, and with limits switched off, it is counted or
    /// refused.
    pub(crate) async fn check_always(&self, scope: Scope, from: IpAddr) -> ApiResult<()> {
        self.limiter.check_always(scope.name(), &limit_bucket(from), self.rule(scope)).await
    }

    /// Counts one request of a user from an address. By the address alone, colleagues would use up each
    /// other's tries; by the user alone, whoever stole a token could lock the owner out.
    pub(crate) async fn check_user(&self, scope: Scope, user: UserId, from: IpAddr) -> ApiResult<()> {
        let key = format!("{user}:{}", limit_bucket(from));
        self.limiter.check(scope.name(), &key, self.rule(scope)).await
    }

    /// Counts one payment of a user, wherever it comes from. Money is never open: without counters, and with
    /// limits switched off, it is counted or refused.
    pub(crate) async fn check_payer(&self, scope: Scope, user: UserId) -> ApiResult<()> {
        self.limiter.check_always(scope.name(), &user.to_string(), self.rule(scope)).await
    }

    /// Counts one request by whatever the scope is about.
    pub(crate) async fn check_key(&self, scope: Scope, key: &str) -> ApiResult<()> {
        self.limiter.check(scope.name(), key, self.rule(scope)).await
    }

    fn rule(&self, scope: Scope) -> Rule {
        match scope {
            Scope::Login | Scope::Auth | Scope::Password | Scope::CheckEmail => self.rules.auth,
            // Somebody who mistypes tries again a few times; who goes on is guessing.
            Scope::LoginFromAddress | Scope::LoginFromStrangers => slower(self.rules.auth, 3),
            Scope::Refresh | Scope::CheckUsername | Scope::Invitation => self.rules.refresh,
            Scope::GuestToken => self.rules.guest_token,
            Scope::Invoke => self.rules.chat,
            Scope::GuestPeerToken => self.guest_peer_token,
            Scope::ErrorReport | Scope::Payment => Rule::per_seconds(30, 60),
            Scope::ServiceReport => Rule::per_seconds(600, 60),
            Scope::Feedback => Rule::per_seconds(10, 3600),
            Scope::Tunnel => Rule::per_seconds(10, 60),
            Scope::SharedConversation | Scope::PeerToken => Rule::per_seconds(120, 60),
            // A chat begins with a search and costs far more than that.
            Scope::Search => {
                let Rule { max, window } = self.rules.chat;
                Rule { max: max.saturating_mul(SEARCHES_PER_CHAT), window }
            }
        }
    }
}

/// `times` as many requests as a rule in [`PATIENCE`] times its window.
fn slower(Rule { max, window }: Rule, times: u32) -> Rule {
    Rule { max: max.saturating_mul(times), window: window * PATIENCE }
}
