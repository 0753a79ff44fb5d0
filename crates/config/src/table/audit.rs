//! Settings of the audit log and of activity.

use super::{Kind, Section, SettingDoc};
use crate::Role;

const fn setting(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> SettingDoc {
    SettingDoc::new(name, Section::Logging, kind, default, doc).only(&[Role::AllInOne, Role::Backend])
}

pub(super) const SETTINGS: &[SettingDoc] = &[
    setting(
        "AUDIT_RETENTION_DAYS",
        Kind::Integer { min: 0, max: 36_500 },
        "365",
        "Days that the audit log is kept; 0 keeps it for ever. What is left after pruning stays verifiable.",
    ),
    setting(
        "ACTIVITY_RETENTION_DAYS",
        Kind::Integer { min: 1, max: 3650 },
        "90",
        "Days that sign-ins, refreshes and uses of tokens are kept for their owners to see.",
    ),
];
