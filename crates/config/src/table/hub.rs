//! Defaults of what an administrator may change at run time.

use super::{Kind, Section, SettingDoc};
use crate::Role;

const fn setting(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> SettingDoc {
    SettingDoc::new(name, Section::General, kind, default, doc).only(&[Role::AllInOne, Role::Backend])
}

pub(super) const SETTINGS: &[SettingDoc] = &[
    setting(
        "REGISTRATION_MODE",
        Kind::Choice(&["open", "invitation", "domains", "closed"]),
        "open",
        "Who may register: everybody, whoever has an invitation, mail addresses of REGISTRATION_ALLOWED_DOMAINS \
         (and whoever has an invitation), or nobody. An administrator can change it at run time.",
    ),
    setting(
        "REGISTRATION_ALLOWED_DOMAINS",
        Kind::List,
        "none",
        "Mail domains that may register with REGISTRATION_MODE=domains, such as example.com; their subdomains do \
         not count.",
    ),
    setting(
        "GUEST_ACCESS",
        Kind::Flag,
        "true",
        "Whether people without an account may browse the hub and ask its guest-accessible endpoints. An \
         administrator can change it at run time.",
    ),
    setting(
        "INSTANCE_NAME",
        Kind::Text,
        "SyftHub",
        "What the hub calls itself, up to 60 characters. An administrator can change it at run time.",
    ),
];
