//! When keys begin and end, without a database.

use super::*;

const PURPOSE: &str = "satellite";

fn row(kid: &str, times: [Option<i64>; 3]) -> SigningKeyRow {
    let [activated_at, retired_at, expires_at] = times.map(|secs| secs.map(Timestamp::from_secs));
    SigningKeyRow {
        kid: kid.to_owned(),
        purpose: PURPOSE.to_owned(),
        private_sealed: Vec::new(),
        public_pem: String::new(),
        created_at: Timestamp::from_secs(0),
        activated_at,
        retired_at,
        expires_at,
    }
}

#[test]
fn at_every_moment_one_key_signs_and_is_published() {
    let rows = [row("new", [Some(100), None, None]), row("old", [Some(0), Some(100), Some(300)])];
    for (at, signing, shown) in
        [(50, "old", 2), (99, "old", 2), (100, "new", 2), (299, "new", 2), (300, "new", 1)]
    {
        let now = Timestamp::from_secs(at);
        assert_eq!(active(&rows, now).unwrap().kid, signing, "at {at}");
        assert_eq!(published(&rows, now).count(), shown, "at {at}");
    }
    assert_eq!(next_change(&rows, Timestamp::from_secs(50)), 100_000_000);
    assert_eq!(next_change(&rows, Timestamp::from_secs(300)), i64::MAX);
    assert_eq!(active(&rows, Timestamp::from_secs(-5)).unwrap().kid, "new", "a clock that was set back");
}

#[test]
fn keys_are_named_by_a_beginning_that_only_they_have() {
    let rows = [row("abc", [Some(0), None, None]), row("abd", [Some(0), None, None])];
    let now = Timestamp::from_secs(1);
    assert_eq!(named(&rows, "abc", now).unwrap().kid, "abc");
    assert!(
        named(&rows, "ab", now).is_err() && named(&rows, "", now).is_err() && named(&rows, "x", now).is_err()
    );
}
