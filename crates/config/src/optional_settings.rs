//! The settings of parts that a hub may do without.

use std::time::Duration;

use url::Url;

use crate::{Rule, Secret};

/// Parts that a hub may do without.
#[derive(Clone, Debug)]
pub struct OptionalParts {
    /// Messages to services behind a firewall.
    pub nats: Nats,
    /// Public addresses for services behind a firewall; none without a key.
    pub ngrok: Option<Ngrok>,
    /// Where feedback of users goes.
    pub feedback_sink: FeedbackSink,
    /// How long error reports are kept.
    pub error_retention: Duration,
}

/// The NATS server, which is not ours.
#[derive(Clone, Debug)]
pub struct Nats {
    /// Where our own services reach it.
    pub url: String,
    /// What it asks every client for; without it the part is off.
    pub auth_token: Option<Secret>,
    /// Where everybody else reaches it, over WebSocket.
    pub public_ws_url: String,
    /// Life of a peer token.
    pub peer_ttl: Duration,
    /// Life of a guest's peer token.
    pub guest_ttl: Duration,
    /// Guests' peer tokens of one address.
    pub guest_limit: Rule,
}

/// The account at ngrok that tunnel credentials are made with.
#[derive(Clone, Debug)]
pub struct Ngrok {
    /// Key of the account.
    pub api_key: Secret,
    /// Where its interface answers, without a trailing slash.
    pub api_url: Url,
    /// The domain under which every user gets a name.
    pub base_domain: String,
}

/// Where feedback of users goes (`FEEDBACK_SINK`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedbackSink {
    /// Into the database, for administrators to read.
    Local,
    /// Nowhere: users are told so.
    None,
}

impl OptionalParts {
    /// Everything off that needs a service of somebody else.
    pub(crate) fn for_tests() -> Self {
        Self {
            nats: Nats {
                url: "nats://127.0.0.1:4222".to_owned(),
                auth_token: None,
                public_ws_url: "ws://localhost:8080/nats".to_owned(),
                peer_ttl: Duration::from_mins(2),
                guest_ttl: Duration::from_secs(90),
                guest_limit: Rule::per_seconds(10, 60),
            },
            ngrok: None,
            feedback_sink: FeedbackSink::Local,
            error_retention: Duration::from_hours(90 * 24),
        }
    }
}
