//! What is known about an endpoint, and what follows from it. Pure: no clock, no network.

use std::time::Duration;

use syfthub_config::HealthCheck;
use syfthub_domain::{HealthStatus, Timestamp};
use syfthub_store::endpoints::{CheckedEndpoint, HealthChange};
use syfthub_store::uptime::Sample;

use super::probe::Target;
use crate::endpoints::health::{Flip, state_name};

/// Longest time between two looks at an endpoint that keeps failing, unless the usual time is longer.
const RAREST: Duration = Duration::from_mins(5);
/// Failures beyond the threshold that still make looks rarer; they are not counted further.
const DOUBLINGS: i64 = 6;

/// Where a finding comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Basis {
    /// The owner's report, which says when and for how long.
    Report,
    /// The owner's heartbeat.
    Heartbeat,
    /// The hub's own check.
    Check,
}

/// What is known about an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Judgement {
    /// An admin or the owner's account switched it off: nobody asks how it is.
    NotWatched,
    /// It has no connections, so that there is nothing to fail.
    NothingToFail,
    /// It is well or not.
    Found(Finding),
    /// Nobody has said; the hub has to ask.
    Ask(Target),
}

/// Whether an endpoint is well, and who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) status: HealthStatus,
    basis: Basis,
}

/// What is known about an endpoint at `now`; `answered` says how it answered when it was asked just before.
pub(super) fn judge(row: &CheckedEndpoint, now: Timestamp, answered: Option<bool>) -> Judgement {
    let found = |status, basis| Judgement::Found(Finding { status, basis });
    if !row.owner_is_active || row.admin_disabled {
        return Judgement::NotWatched;
    }
    if row.connect.as_array().is_none_or(Vec::is_empty) {
        return Judgement::NothingToFail;
    }
    if let Some(status) = row.fresh_report(now) {
        return found(status, Basis::Report);
    }
    if row.heartbeat_expires_at.is_some_and(|until| until > now) {
        return found(HealthStatus::Healthy, Basis::Heartbeat);
    }
    match (answered, Target::of(row)) {
        (Some(true), _) => found(HealthStatus::Healthy, Basis::Check),
        (None, Some(target)) => Judgement::Ask(target),
        // Without an address, and behind a tunnel, nobody can be asked.
        (Some(false), _) | (None, None) => found(HealthStatus::Unhealthy, Basis::Check),
    }
}

/// What a finding changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Consequence {
    /// `None` when everything is as it is written already.
    pub(super) change: Option<HealthChange>,
    pub(super) sample: Sample,
    pub(super) flip: Option<Flip>,
    /// After how many usual intervals to look again.
    pub(super) factor: u32,
}

/// What follows from a finding.
pub(super) fn conclude(
    row: &CheckedEndpoint,
    found: Finding,
    now: Timestamp,
    settings: &HealthCheck,
) -> Consequence {
    let Finding { status, basis } = found;
    let healthy = status == HealthStatus::Healthy;
    let threshold = i64::from(settings.failure_threshold);
    let failures = if healthy { 0 } else { (row.consecutive_failure_count + 1).min(threshold + DOUBLINGS) };
    let is_active = healthy || (row.is_active && failures < threshold);
    let (checked_at, ttl_seconds) = match basis {
        Basis::Report => (row.health_checked_at, row.health_ttl_seconds),
        Basis::Heartbeat | Basis::Check => (Some(now), None),
    };
    let after =
        HealthChange { id: row.id, is_active, failures, status: Some(status), checked_at, ttl_seconds };
    let same = (row.is_active, row.consecutive_failure_count, row.health_status)
        == (after.is_active, after.failures, after.status);
    let factor = if basis == Basis::Check { factor(failures - threshold, settings.interval) } else { 1 };
    Consequence {
        change: (basis == Basis::Check || !same).then_some(after),
        sample: Sample { endpoint: row.id, healthy, weight: i64::from(factor) },
        flip: flip(row, is_active, Some(status)),
        factor,
    }
}

/// An endpoint that lost its connections while it was off comes back: there is nothing that could fail now.
pub(super) fn release(row: &CheckedEndpoint) -> Option<(HealthChange, Option<Flip>)> {
    if row.is_active && row.consecutive_failure_count == 0 {
        return None;
    }
    let change = HealthChange {
        id: row.id,
        is_active: true,
        failures: 0,
        status: row.health_status,
        checked_at: row.health_checked_at,
        ttl_seconds: row.health_ttl_seconds,
    };
    Some((change, flip(row, true, row.health_status)))
}

fn flip(row: &CheckedEndpoint, is_active: bool, status: Option<HealthStatus>) -> Option<Flip> {
    let from = state_name(row.is_active, row.health_status);
    let to = state_name(is_active, status);
    (from != to).then(|| Flip {
        endpoint_id: row.id.0,
        owner: row.owner_username.as_str().to_owned(),
        slug: row.slug.as_str().to_owned(),
        from,
        to,
    })
}

/// How much rarer an endpoint is looked at that failed `beyond` times more than it may.
fn factor(beyond: i64, interval: Duration) -> u32 {
    let Ok(beyond) = u32::try_from(beyond) else { return 1 };
    let rarest = RAREST.as_millis() / interval.as_millis().max(1);
    let rarest = u32::try_from(rarest).unwrap_or(u32::MAX).max(1);
    2_u32.saturating_pow(beyond.saturating_add(1)).min(rarest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use syfthub_domain::{EndpointId, Slug, Username};

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn settings() -> HealthCheck {
        syfthub_config::Settings::for_tests(std::path::Path::new(".")).health_check
    }

    fn row() -> CheckedEndpoint {
        CheckedEndpoint {
            id: EndpointId(7),
            slug: Slug::parse("notes").unwrap(),
            owner_username: Username::parse("ada").unwrap(),
            owner_domain: Some("http://h.example".to_owned()),
            owner_is_active: true,
            heartbeat_expires_at: None,
            connect: json!([{"type": "http", "config": {"url": "/x"}}]),
            is_active: true,
            admin_disabled: false,
            consecutive_failure_count: 0,
            health_status: None,
            health_checked_at: None,
            health_ttl_seconds: None,
        }
    }

    fn reported(status: HealthStatus, ago: u64) -> CheckedEndpoint {
        let checked_at = Some(NOW.minus(Duration::from_secs(ago)));
        CheckedEndpoint {
            health_status: Some(status),
            health_checked_at: checked_at,
            health_ttl_seconds: Some(60),
            ..row()
        }
    }

    fn status(row: &CheckedEndpoint, answered: Option<bool>) -> Option<HealthStatus> {
        match judge(row, NOW, answered) {
            Judgement::Found(found) => Some(found.status),
            _ => None,
        }
    }

    #[test]
    fn a_fresh_report_comes_before_a_heartbeat_and_both_before_a_check() {
        use HealthStatus::{Healthy, Unhealthy};
        let beating =
            |row| CheckedEndpoint { heartbeat_expires_at: Some(NOW.plus(Duration::from_secs(1))), ..row };
        assert_eq!(status(&beating(reported(Unhealthy, 59)), Some(true)), Some(Unhealthy));
        assert_eq!(status(&beating(reported(Unhealthy, 60)), Some(false)), Some(Healthy));
        assert_eq!(status(&reported(Healthy, 60), Some(false)), Some(Unhealthy));
        assert!(matches!(judge(&reported(Healthy, 60), NOW, None), Judgement::Ask(_)));
        let checked = CheckedEndpoint { health_ttl_seconds: None, ..reported(Healthy, 1) };
        assert!(matches!(judge(&checked, NOW, None), Judgement::Ask(_)), "a check is no report");
    }

    #[test]
    fn who_cannot_be_asked_is_not_well_and_who_is_switched_off_is_left_alone() {
        let nowhere = CheckedEndpoint { owner_domain: None, ..row() };
        let tunnel = CheckedEndpoint { owner_domain: Some("tunneling:ada".to_owned()), ..row() };
        for row in [nowhere, tunnel] {
            assert_eq!(status(&row, None), Some(HealthStatus::Unhealthy));
        }
        assert_eq!(
            judge(&CheckedEndpoint { admin_disabled: true, ..row() }, NOW, None),
            Judgement::NotWatched
        );
        assert_eq!(
            judge(&CheckedEndpoint { owner_is_active: false, ..row() }, NOW, None),
            Judgement::NotWatched
        );
        assert_eq!(
            judge(&CheckedEndpoint { connect: json!([]), ..row() }, NOW, None),
            Judgement::NothingToFail
        );
    }

    #[test]
    fn three_failures_take_it_off_and_one_success_brings_it_back() {
        let (settings, mut row) = (settings(), row());
        let mut seen = Vec::new();
        for answered in [false, false, false, false, true] {
            let Judgement::Found(found) = judge(&row, NOW, Some(answered)) else { panic!("asked") };
            let then = conclude(&row, found, NOW, &settings);
            let change = then.change.unwrap();
            row.is_active = change.is_active;
            row.consecutive_failure_count = change.failures;
            row.health_status = change.status;
            seen.push((change.is_active, then.flip.map(|flip| (flip.from, flip.to)), then.factor));
        }
        assert_eq!(
            seen,
            [
                (true, Some(("unknown", "unhealthy")), 1),
                (true, None, 1),
                (false, Some(("unhealthy", "inactive")), 2),
                (false, None, 4),
                (true, Some(("inactive", "healthy")), 1),
            ]
        );
    }

    #[test]
    fn a_report_that_says_nothing_new_writes_nothing_and_is_looked_at_as_usual() {
        let row = reported(HealthStatus::Healthy, 1);
        let Judgement::Found(found) = judge(&row, NOW, None) else { panic!("reported") };
        let then = conclude(&row, found, NOW, &settings());
        assert_eq!((then.change, then.flip, then.factor, then.sample.healthy), (None, None, 1, true));
    }

    #[test]
    fn looks_get_rarer_up_to_five_minutes() {
        let half = Duration::from_secs(30);
        assert_eq!([-1, 0, 1, 2, 3, 99].map(|beyond| factor(beyond, half)), [1, 2, 4, 8, 10, 10]);
        assert_eq!(factor(9, Duration::from_hours(1)), 1);
    }
}
