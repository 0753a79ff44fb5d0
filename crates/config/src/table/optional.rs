//! Settings of parts that a hub may do without.

use super::{Kind, Section, SettingDoc};
use crate::Role;

const HUB: &[Role] = &[Role::AllInOne, Role::Backend];
const LIFE: Kind = Kind::Integer { min: 1, max: 3600 };

const fn setting(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> SettingDoc {
    SettingDoc::new(name, Section::Optional, kind, default, doc).only(HUB)
}

pub(super) const SETTINGS: &[SettingDoc] = &[
    SettingDoc::new(
        "GUEST_PEER_TOKEN_RATE_LIMIT_MAX",
        Section::Limits,
        Kind::Integer { min: 1, max: 1_000_000 },
        "10",
        "Peer tokens for guests of one address per window. This limit is never open: without counters such tokens \
         are refused, whatever RATE_LIMIT_ENABLED and RATE_LIMIT_FAIL_OPEN say.",
    )
    .only(HUB),
    SettingDoc::new(
        "GUEST_PEER_TOKEN_RATE_LIMIT_WINDOW_SECONDS",
        Section::Limits,
        Kind::Integer { min: 1, max: 86_400 },
        "60",
        "Window of GUEST_PEER_TOKEN_RATE_LIMIT_MAX.",
    )
    .only(HUB),
    setting(
        "FEEDBACK_SINK",
        Kind::Choice(&["local", "none"]),
        "local",
        "Where feedback of users goes: into the hub's database, where administrators read it, or nowhere.",
    ),
    setting(
        "ERROR_RETENTION_DAYS",
        Kind::Integer { min: 1, max: 3650 },
        "90",
        "Days for which error reports are kept.",
    ),
    setting(
        "NATS_AUTH_TOKEN",
        Kind::Text,
        "",
        "What the NATS server asks every client for. Without it the NATS routes answer 503. Every user can read it \
         from the hub, so it must open nothing else.",
    )
    .secret(),
    setting("NATS_URL", Kind::Text, "nats://nats:4222", "Where our own services reach the NATS server."),
    setting(
        "NATS_WS_PUBLIC_URL",
        Kind::Text,
        "/nats of SYFTHUB_PUBLIC_URL, as ws:// or wss://",
        "Where clients reach the NATS server, over WebSocket.",
    ),
    setting("PEER_TOKEN_EXPIRE_SECONDS", LIFE, "120", "Life of a peer token."),
    setting("GUEST_PEER_TOKEN_EXPIRE_SECONDS", LIFE, "90", "Life of a guest's peer token."),
    setting(
        "NGROK_API_KEY",
        Kind::Text,
        "",
        "Key of an ngrok account, to give users credentials for tunnels. Without it that route answers 503.",
    )
    .secret(),
    setting(
        "NGROK_BASE_DOMAIN",
        Kind::Text,
        "syfthub.ngrok.app",
        "The domain of that account; each user's tunnel is named USERNAME.DOMAIN.",
    ),
    setting("NGROK_API_URL", Kind::Url, "https://api.ngrok.com", "Where the interface of ngrok answers."),
];
