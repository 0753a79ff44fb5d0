//! The slug of an endpoint that was published without one.

use syfthub_domain::{Error, ErrorCode, Result, Slug, Timestamp, derive_slug, is_reserved_slug};

/// Longest slug.
const MAX: usize = 63;
/// Highest number that is appended before the time is.
const MAX_SUFFIX: u32 = 999;

/// A slug made from the name that is neither reserved nor among `taken`.
pub(crate) fn choose(name: &str, taken: &[String], now: Timestamp) -> Result<Slug> {
    let base = derive_slug(name);
    let is_free = |slug: &str| !is_reserved_slug(slug) && !taken.iter().any(|known| known == slug);
    if is_free(&base) {
        return Slug::parse(&base).map_err(Error::internal);
    }
    let numbered = (1..=MAX_SUFFIX).map(|number| with_suffix(&base, MAX, &number.to_string()));
    let timed = || with_suffix(&base, 51, &format!("{:06}", now.as_secs() % 1_000_000));
    let found = numbered.chain(std::iter::once_with(timed)).find(|slug| is_free(slug));
    let found = found.ok_or_else(|| {
        Error::new(ErrorCode::BadRequest, "No free slug could be derived from the name; choose one yourself")
    })?;
    Slug::parse(&found).map_err(Error::internal)
}

/// `base-suffix` within `max` characters; the base gives way.
fn with_suffix(base: &str, max: usize, suffix: &str) -> String {
    let room = max.min(MAX - suffix.len() - 1).min(base.len());
    format!("{}-{suffix}", base[..room].trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_700_123_456);

    #[test]
    fn a_free_name_is_taken_as_it_is() {
        assert_eq!(choose("My Model", &[], NOW).unwrap().as_str(), "my-model");
        assert_eq!(choose("日本", &[], NOW).unwrap().as_str(), "endpoint");
    }

    #[test]
    fn taken_and_reserved_names_get_a_number() {
        let taken = ["my-model".to_owned(), "my-model-1".to_owned()];
        assert_eq!(choose("My Model", &taken, NOW).unwrap().as_str(), "my-model-2");
        assert_eq!(choose("Docs", &[], NOW).unwrap().as_str(), "docs-1");
    }

    #[test]
    fn long_names_stay_within_the_limit() {
        let name = "x".repeat(100);
        let first = choose(&name, &[], NOW).unwrap();
        let second = choose(&name, &[first.as_str().to_owned()], NOW).unwrap();
        assert_eq!((first.as_str().len(), second.as_str().len()), (63, 63));
        let mut taken: Vec<String> =
            (1..=999).map(|n| with_suffix(&"x".repeat(63), MAX, &n.to_string())).collect();
        taken.push(first.into_string());
        assert!(choose(&name, &taken, NOW).unwrap().as_str().ends_with("-123456"));
    }
}
