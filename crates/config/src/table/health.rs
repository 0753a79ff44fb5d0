//! Settings of endpoint health and uptime.

use super::{Kind, Section, SettingDoc};
use crate::Role;

const fn setting(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> SettingDoc {
    SettingDoc::new(name, Section::Health, kind, default, doc).only(&[Role::AllInOne, Role::Backend])
}

const TIMEOUT: Kind = Kind::Seconds { min: 1, max: 3600 };
const REPORT: Kind = Kind::Integer { min: 10, max: 86_400 };

pub(super) const SETTINGS: &[SettingDoc] = &[
    setting(
        "HEALTH_CHECK_ENABLED",
        Kind::Flag,
        "true",
        "Whether the hub watches the endpoints that have connections: it believes fresh reports and heartbeats of \
         their owners, and asks the others itself. Endpoints that fail leave the public lists until they are back.",
    ),
    setting("HEALTH_CHECK_INTERVAL_SECONDS", TIMEOUT, "30", "Time between two looks at one endpoint."),
    setting("HEALTH_CHECK_TIMEOUT_SECONDS", TIMEOUT, "5.0", "Longest time that one check may take."),
    setting(
        "HEALTH_CHECK_MAX_CONCURRENT",
        Kind::Integer { min: 1, max: 1000 },
        "20",
        "Checks that one process runs at the same time; at most half of them for the endpoints of one owner.",
    ),
    setting(
        "HEALTH_CHECK_FAILURE_THRESHOLD",
        Kind::Integer { min: 1, max: 100 },
        "3",
        "Failed looks in a row after which an endpoint leaves the public lists. From then on it is asked less and \
         less often, at least every five minutes; a healthy report brings it back at once.",
    ),
    setting(
        "HEALTH_CHECK_PATHS",
        Kind::List,
        "/api/v1/health,/health,/",
        "Paths below an endpoint's address that a check asks for with GET, in this order until one answers with a \
         status below 400. `{slug}` stands for the endpoint's slug.",
    ),
    setting(
        "HEALTH_DEFAULT_TTL_SECONDS",
        REPORT,
        "300",
        "How long a health report of an endpoint counts when it names no time.",
    ),
    setting("HEALTH_MAX_TTL_SECONDS", REPORT, "1800", "Longest time that a health report may count."),
    setting(
        "UPTIME_BUCKET_SECONDS",
        Kind::Integer { min: 60, max: 86_400 },
        "1800",
        "Length of the buckets that uptime is counted in.",
    ),
    setting(
        "UPTIME_RETENTION_DAYS",
        Kind::Integer { min: 0, max: 3650 },
        "90",
        "Days that uptime is kept; 0 keeps it for ever.",
    ),
];
