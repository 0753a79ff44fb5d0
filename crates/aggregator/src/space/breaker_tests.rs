//! When breakers open and close, and what they tell.

use super::*;

const PAUSE: Duration = Duration::from_secs(30);

fn breakers() -> Breakers {
    Breakers::new(3, PAUSE)
}

fn admit<'a>(breakers: &'a Breakers, slug: &str) -> Result<Ticket<'a>, Failure> {
    admit_of(breakers, slug, None)
}

fn admit_of<'a>(breakers: &'a Breakers, slug: &str, owner: Option<&str>) -> Result<Ticket<'a>, Failure> {
    let endpoint = EndpointRef {
        url: "http://x.org".to_owned(),
        slug: slug.to_owned(),
        owner_username: owner.map(str::to_owned),
        ..EndpointRef::default()
    };
    let endpoint = Box::leak(Box::new(endpoint));
    breakers.admit(endpoint, Box::leak(Box::new(address::query_url(endpoint).unwrap())))
}

fn fail(breakers: &Breakers, times: usize) {
    for _ in 0..times {
        admit(breakers, "a").unwrap().tell(Verdict::Failing);
    }
}

fn state(breakers: &Breakers) -> Option<BreakerState> {
    breakers.report().first().map(|report| report.state)
}

#[tokio::test(start_paused = true)]
async fn opens_after_failures_in_a_row_and_closes_after_one_probe() {
    let breakers = breakers();
    fail(&breakers, 2);
    admit(&breakers, "a").unwrap().tell(Verdict::Alive);
    fail(&breakers, 2);
    assert_eq!(state(&breakers), Some(BreakerState::Closed));
    fail(&breakers, 1);
    let refusal = admit(&breakers, "a").unwrap_err();
    assert!(refusal.to_string().contains("31 seconds"), "{refusal}");
    assert!(admit(&breakers, "b").is_ok(), "others are not concerned");
    tokio::time::advance(PAUSE).await;
    let probe = admit(&breakers, "a").unwrap();
    assert_eq!(state(&breakers), Some(BreakerState::HalfOpen));
    assert!(admit(&breakers, "a").is_err(), "one probe at a time");
    probe.tell(Verdict::Alive);
    assert_eq!(state(&breakers), None);
    assert!(admit(&breakers, "a").is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_failed_probe_doubles_the_pause_up_to_a_limit() {
    let breakers = breakers();
    fail(&breakers, 3);
    for factor in [1, 2, 4, 8, 8] {
        assert_eq!(breakers.report()[0].pause, Some(PAUSE * factor));
        tokio::time::advance(PAUSE * factor).await;
        admit(&breakers, "a").unwrap().tell(Verdict::Failing);
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_tells_nothing_leaves_the_next_call_to_try() {
    let breakers = breakers();
    fail(&breakers, 3);
    tokio::time::advance(PAUSE).await;
    drop(admit(&breakers, "a").unwrap());
    admit(&breakers, "a").unwrap().tell(Verdict::Nothing);
    assert!(admit(&breakers, "a").is_ok());
}

#[tokio::test(start_paused = true)]
async fn only_failures_of_the_endpoint_count() {
    let status = |code| Failure::Status { code, detail: String::new(), outcome: None, policy: None };
    for (failure, was_asked, verdict) in [
        (status(500), true, Verdict::Failing),
        (Failure::WebPage { code: 502 }, true, Verdict::Failing),
        (status(404), true, Verdict::Alive),
        (status(429), true, Verdict::Alive),
        (Failure::WebPage { code: 404 }, true, Verdict::Alive),
        (Failure::InvalidJson, true, Verdict::Alive),
        (Failure::Timeout, true, Verdict::Failing),
        (Failure::Timeout, false, Verdict::Nothing),
        (Failure::Unreachable { origin: String::new() }, true, Verdict::Failing),
        (Failure::Busy, true, Verdict::Nothing),
        (Failure::BadReference(""), false, Verdict::Nothing),
    ] {
        assert_eq!(Verdict::of(&failure, was_asked), verdict, "{failure:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_calls_it_by_a_wrong_name_does_not_hide_the_right_one() {
    let breakers = breakers();
    let names =
        || -> Vec<String> { breakers.failing().iter().map(|failing| failing.endpoint.path()).collect() };
    for owner in ["ann", "eve", "ann"] {
        assert_eq!(names(), [""; 0]);
        admit_of(&breakers, "a", Some(owner)).unwrap().tell(Verdict::Failing);
    }
    assert_eq!(names(), ["ann/a", "eve/a"]);
    breakers.changed().await;
    for owner in ["b", "c", "d", "e", "ann"] {
        tokio::time::advance(PAUSE * LONGEST).await;
        admit_of(&breakers, "a", Some(owner)).unwrap().tell(Verdict::Failing);
    }
    assert_eq!(names(), ["ann/a", "e/a", "d/a", "c/a"]);
    tokio::time::advance(PAUSE * LONGEST).await;
    let probe = admit(&breakers, "a").unwrap();
    assert_eq!(breakers.failing()[0].state, BreakerState::HalfOpen);
    probe.tell(Verdict::Alive);
    assert_eq!(names(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_threshold_of_nothing_never_opens() {
    let breakers = Breakers::new(0, PAUSE);
    fail(&breakers, 100);
    assert_eq!(breakers.report(), []);
}

#[tokio::test(start_paused = true)]
async fn the_number_that_is_remembered_is_bounded() {
    let breakers = breakers();
    fail(&breakers, 3);
    for number in 0..=CAPACITY {
        admit(&breakers, &format!("s{number}")).unwrap().tell(Verdict::Failing);
    }
    assert_eq!(breakers.report().len(), CAPACITY);
    assert!(admit(&breakers, "a").is_err(), "an open one is kept");
}
