//! What holds for the citations of every answer, whatever its bytes.

use super::{annotate, annotate_known, passage, profit_share};

/// Owners of the documents that an answer may cite.
const PATHS: [&str; 4] = ["ann/a", "bob/b", "ann/a", "cy/c"];

/// The text of an answer after a byte that says how many documents there are.
pub fn citations(data: &[u8]) {
    let Some((first, answer)) = data.split_first() else { return };
    let numbered = &PATHS[..usize::from(*first) % (PATHS.len() + 1)];
    let answer = String::from_utf8_lossy(answer);
    let is_document = |number: u32| usize::try_from(number).is_ok_and(|n| (1..=numbered.len()).contains(&n));
    let found = annotate_known(&answer, is_document);
    assert_eq!(found.markers.len(), found.covered.len());
    assert!(found.markers.iter().flatten().all(|number| is_document(*number)));
    assert!(found.markers.iter().all(|marker| !marker.is_empty()));
    assert!(found.clean.len() <= found.plain.len() && found.plain.len() <= found.text.len());
    assert_eq!(without_ranges(&found.text), found.clean, "without its markers it is the clean text");
    for (place, range) in places(&found.text).zip(&found.covered) {
        let Some(covered) = found.clean.get(range.clone()) else { panic!("{range:?} cuts a character") };
        let before = found.clean[..range.start].chars().count();
        assert_eq!(place, (before, before + covered.chars().count()), "offsets are code points");
    }
    if !answer.contains("[cite:") {
        assert_eq!((found.text.as_str(), found.clean.as_str()), (&*answer, &*answer));
    }
    let everything = annotate(&found.clean);
    assert!(everything.removed <= found.clean.len());
    let shares = profit_share(&found.markers, numbered);
    let total: f64 = shares.iter().map(|(_, share)| share).sum();
    assert!(shares.iter().all(|(_, share)| (0.0..=1.0).contains(share)), "{shares:?}");
    let is_shared = !found.markers.is_empty();
    assert!((total - f64::from(u8::from(is_shared))).abs() < 1e-9, "{shares:?}");
    let claims = found.covered.iter().filter_map(|range| found.clean.get(range.clone()));
    if let Some(part) = passage(&answer, claims) {
        let cut: String = answer.chars().skip(part.start).take(part.end - part.start).collect();
        assert_eq!(cut, part.text, "a passage is a part of its document");
    }
}

/// The markers of an annotated answer: where they begin, where they end, and their range.
fn markers(text: &str) -> impl Iterator<Item = (usize, usize, (usize, usize))> {
    text.match_indices("[cite:").filter_map(|(at, open)| {
        let body = &text[at + open.len()..];
        let (body, _) = body.split_once(']')?;
        let (numbers, range) = body.split_once('-')?;
        let (start, end) = range.split_once(':')?;
        let is_list =
            numbers.bytes().all(|b| b.is_ascii_digit() || b == b',') && !numbers.trim_matches(',').is_empty();
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !is_list || !is_number(start) || !is_number(end) {
            return None;
        }
        Some((at, at + open.len() + body.len() + 1, (start.parse().ok()?, end.parse().ok()?)))
    })
}

fn places(text: &str) -> impl Iterator<Item = (usize, usize)> {
    markers(text).map(|(_, _, range)| range)
}

fn without_ranges(text: &str) -> String {
    let (mut clean, mut copied) = (String::with_capacity(text.len()), 0);
    for (start, end, _) in markers(text) {
        clean.push_str(&text[copied..start]);
        copied = end;
    }
    clean.push_str(&text[copied..]);
    clean
}
