//! From what the directory knows of an endpoint to one number.

use syfthub_proto::directory::{BreakerState, Description};

/// The share of looks and calls that goes well at an endpoint of which nothing is known.
const USUAL: f64 = 0.95;
/// How many looks or votes of the usual share are added to what was counted, so that a few make no name.
const WEIGHT: f64 = 20.0;

/// How much a record speaks for an endpoint: 1 when everything went well for long, 0 when nothing is known, -1 when it
/// is down or one in ten goes wrong.
pub(super) fn standing(known: &Description) -> f64 {
    if !known.is_published {
        return 0.0;
    }
    if known.breaker() == BreakerState::Open || known.health_status == "unhealthy" {
        return -1.0;
    }
    let looks = share(known.healthy_checks as f64, known.checks as f64);
    let calls = share(known.good_votes, known.votes as f64);
    let standing = (f64::midpoint(looks, calls) - USUAL) / (1.0 - USUAL);
    let most = if known.breaker() == BreakerState::HalfOpen { 0.0 } else { 1.0 };
    if standing.is_finite() { standing.clamp(-1.0, most) } else { 0.0 }
}

fn share(good: f64, all: f64) -> f64 {
    (good + USUAL * WEIGHT) / (all + WEIGHT)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn known(checks: u64, healthy_checks: u64, votes: u64, good_votes: f64) -> Description {
        Description {
            is_published: true,
            checks,
            healthy_checks,
            votes,
            good_votes,
            ..Description::default()
        }
    }

    #[test]
    fn who_is_not_known_is_neither_good_nor_bad() {
        assert!(standing(&Description::default()).abs() < f64::EPSILON);
        assert!(standing(&known(0, 0, 0, 0.0)).abs() < 1e-9);
        let unpublished = Description { is_published: false, ..known(9, 0, 9, 0.0) };
        assert!(standing(&unpublished).abs() < f64::EPSILON);
    }

    #[test]
    fn a_good_record_is_better_than_none_and_a_bad_one_worse() {
        let good = standing(&known(2_000, 2_000, 200, 200.0));
        let new = standing(&known(3, 3, 1, 1.0));
        let shaky = standing(&known(2_000, 1_900, 200, 180.0));
        let bad = standing(&known(2_000, 400, 0, 0.0));
        assert!(good > 0.9 && (0.0..0.2).contains(&new), "{good} {new}");
        assert!((-1.0..0.0).contains(&shaky) && bad < -0.99, "{shaky} {bad}");
    }

    #[test]
    fn who_is_down_now_is_last_whatever_was_before() {
        let good = known(2_000, 2_000, 200, 200.0);
        let open = Description { breaker: BreakerState::Open.into(), ..good.clone() };
        let half_open = Description { breaker: BreakerState::HalfOpen.into(), ..good.clone() };
        let ill = Description { health_status: "unhealthy".to_owned(), ..good };
        for down in [open, ill] {
            assert!((standing(&down) + 1.0).abs() < f64::EPSILON);
        }
        assert!(standing(&half_open).abs() < f64::EPSILON);
    }

    proptest! {
        #[test]
        fn whatever_is_reported_stays_within_bounds(
            checks in any::<u64>(), healthy in any::<u64>(), votes in any::<u64>(), good in any::<f64>(),
        ) {
            prop_assert!((-1.0..=1.0).contains(&standing(&known(checks, healthy, votes, good))));
        }
    }
}
