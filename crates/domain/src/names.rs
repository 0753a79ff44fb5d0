//! Names that were checked once and can be trusted afterwards.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::reserved::{ALL_SHARED, is_reserved_collective_slug, is_reserved_owner, is_reserved_slug};

/// Why a name was refused; the text is for the client, `kind` is the validation type on the wire.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidName {
    /// Validation type, for example `string_too_short`.
    pub kind: &'static str,
    /// What is wrong, in words.
    pub message: String,
}

impl InvalidName {
    fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    fn value(message: &str) -> Self {
        Self::new("value_error", format!("Value error, {message}"))
    }
}

fn check_length(text: &str, min: usize, max: usize) -> Result<(), InvalidName> {
    let length = text.chars().count();
    if length < min {
        let noun = if min == 1 { "character" } else { "characters" };
        return Err(InvalidName::new(
            "string_too_short",
            format!("String should have at least {min} {noun}"),
        ));
    }
    if length > max {
        return Err(InvalidName::new(
            "string_too_long",
            format!("String should have at most {max} characters"),
        ));
    }
    Ok(())
}

macro_rules! name_type {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The checked text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Takes a text that was checked before, for example one read from the database.
            pub fn from_trusted(text: String) -> Self {
                Self(text)
            }

            /// The checked text, owned.
            pub fn into_string(self) -> String {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

name_type! {
    /// A user's name: 3–50 of `[a-z0-9_-]` with at least one letter or digit, stored lower-case
    /// (spec backend 1.2). It is the audience of satellite tokens and the owner in `owner/slug`.
    Username
}
name_type! {
    /// The second half of `owner/slug`: 3–63 of `[a-z0-9-]`, no hyphen at an edge, none doubled
    /// (spec backend 3.2).
    Slug
}
name_type! {
    /// A tag: 1–30 characters in the form of a slug, stored trimmed and lower-case.
    Tag
}
name_type! {
    /// A mail address, stored lower-case, at most 255 characters.
    Email
}
name_type! {
    /// A version of three numbers, `1.2.3`.
    Version
}

impl Username {
    /// Checks form and length, not whether it is reserved: see [`Username::parse_new`].
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        check_length(text, 3, 50)?;
        let lower = text.to_ascii_lowercase();
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
        if !lower.chars().all(allowed) || !lower.chars().any(|c| c.is_ascii_alphanumeric()) {
            return Err(InvalidName::value(
                "Username may contain only the letters a-z, digits, underscores and hyphens",
            ));
        }
        Ok(Self(lower))
    }

    /// Checks a name that somebody wants to take.
    pub fn parse_new(text: &str) -> Result<Self, InvalidName> {
        let name = Self::parse(text)?;
        if is_reserved_owner(name.as_str()) {
            return Err(InvalidName::value(&format!("Username '{name}' is reserved")));
        }
        Ok(name)
    }
}

fn has_slug_form(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty()
        && text.chars().all(allowed)
        && !text.starts_with('-')
        && !text.ends_with('-')
        && !text.contains("--")
}

impl Slug {
    /// Checks form, length and the reserved list.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        Self::checked(text, 3, is_reserved_slug)
    }

    /// The slug of a collective: the same form, other reserved words.
    pub fn parse_collective(text: &str) -> Result<Self, InvalidName> {
        Self::checked(text, 3, is_reserved_collective_slug)
    }

    /// The slug of a shared endpoint inside a collective: one character is enough, only `all` is reserved.
    pub fn parse_shared(text: &str) -> Result<Self, InvalidName> {
        Self::checked(text, 1, |slug| slug == ALL_SHARED)
    }

    fn checked(text: &str, min: usize, is_reserved: fn(&str) -> bool) -> Result<Self, InvalidName> {
        check_length(text, min, 63)?;
        if !has_slug_form(text) {
            return Err(InvalidName::value(
                "Slug must be lower-case letters, digits and single hyphens, and may not start or end with a hyphen",
            ));
        }
        if is_reserved(text) {
            return Err(InvalidName::value(&format!("Slug '{text}' is reserved")));
        }
        Ok(Self(text.to_owned()))
    }
}

impl Tag {
    /// Trims, lower-cases and checks; the caller drops empty ones before.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let text = text.trim().to_lowercase();
        check_length(&text, 1, 30)?;
        if !has_slug_form(&text) {
            return Err(InvalidName::value(
                "Tag must be letters, digits and single hyphens, and may not start or end with a hyphen",
            ));
        }
        Ok(Self(text))
    }
}

impl Email {
    /// Checks the form (RFC 5321) and lower-cases.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        check_length(text, 3, 255)?;
        let lower = text.trim().to_lowercase();
        if !email_address::EmailAddress::is_valid(&lower) {
            return Err(InvalidName::new(
                "value_error",
                "value is not a valid email address: it must look like name@example.com",
            ));
        }
        Ok(Self(lower))
    }

    /// The part before the `@`.
    pub fn local_part(&self) -> &str {
        self.0.rsplit_once('@').map_or(self.0.as_str(), |(local, _)| local)
    }
}

impl Version {
    /// Checks `^\d+\.\d+\.\d+$`, at most 20 characters.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        check_length(text, 1, 20)?;
        let parts: Vec<&str> = text.split('.').collect();
        let numeric = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
        if parts.len() != 3 || !parts.iter().all(numeric) {
            return Err(InvalidName::new(
                "string_pattern_mismatch",
                "String should match pattern '^\\d+\\.\\d+\\.\\d+$'",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// `owner/slug`, the address of an endpoint. The owner is lower-cased.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointPath {
    /// The owner's username.
    pub owner: String,
    /// The endpoint's slug.
    pub slug: String,
}

impl EndpointPath {
    /// Reads `owner/slug`; both halves must be non-empty and hold neither a further slash nor U+0000,
    /// which no database takes.
    pub fn parse(text: &str) -> Option<Self> {
        let (owner, slug) = text.trim().split_once('/')?;
        if owner.is_empty() || slug.is_empty() || slug.contains('/') || text.contains('\0') {
            return None;
        }
        Some(Self { owner: owner.to_lowercase(), slug: slug.to_lowercase() })
    }
}

impl fmt::Display for EndpointPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.slug)
    }
}

/// The slug that a name gives when none was chosen: runs of other characters become one hyphen
/// (spec backend 3.2). The result may be taken or reserved; the caller adds a suffix then.
pub fn derive_slug(name: &str) -> String {
    let mut slug = String::with_capacity(name.len());
    for c in name.chars() {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let mut slug = slug.trim_matches('-').to_owned();
    if slug.is_empty() {
        return "endpoint".to_owned();
    }
    if slug.len() < 3 {
        slug = format!("endpoint-{slug}");
    }
    slug.truncate(63);
    slug.trim_end_matches('-').to_owned()
}

/// The username that a mail address gives when the wanted one is taken (spec backend 1.2). At most 45
/// characters, so that a numeric suffix still fits.
pub fn derive_username(email: &Email) -> String {
    let kept: String = email
        .local_part()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '_' || *c == '-')
        .take(45)
        .collect::<String>()
        .to_ascii_lowercase();
    let has_alphanumeric = kept.chars().any(|c| c.is_ascii_alphanumeric());
    if kept.len() < 3 || !has_alphanumeric { format!("user{kept}") } else { kept }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_are_lower_cased_and_restricted_to_ascii() {
        assert_eq!(Username::parse("Bob_1").unwrap().as_str(), "bob_1");
        for bad in ["ab", "éàü", "b o b", "___", "a".repeat(51).as_str()] {
            assert!(Username::parse(bad).is_err(), "{bad}");
        }
        assert!(Username::parse("docs").is_ok());
        assert!(Username::parse_new("Docs").is_err());
    }

    #[test]
    fn an_endpoint_path_has_two_halves_that_a_database_takes() {
        let path = EndpointPath::parse(" Ada/Notes ").unwrap();
        assert_eq!((path.owner.as_str(), path.slug.as_str()), ("ada", "notes"));
        for bad in ["ada", "/notes", "ada/", "a/b/c", "a\0a/notes", "ada/no\0tes"] {
            assert_eq!(EndpointPath::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn slugs_follow_the_published_pattern() {
        for good in ["abc", "a-b", "my-model-1"] {
            assert!(Slug::parse(good).is_ok(), "{good}");
        }
        for bad in ["ab", "-abc", "abc-", "a--b", "Abc", "docs", "a_b"] {
            assert!(Slug::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn collectives_reserve_other_slugs_than_endpoints() {
        assert!(Slug::parse_collective("blog").is_ok() && Slug::parse("blog").is_err());
        assert!(Slug::parse_collective("members").is_err() && Slug::parse("members").is_ok());
        assert!(Slug::parse_shared("x").is_ok() && Slug::parse_shared("docs").is_ok());
        for bad in ["", "all", "-", "a--b", "A"] {
            assert!(Slug::parse_shared(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_without_letters_still_gives_a_slug() {
        assert_eq!(derive_slug("日本"), "endpoint");
        assert_eq!(derive_slug("My  Notes!"), "my-notes");
        assert_eq!(derive_slug("ab"), "endpoint-ab");
    }

    proptest::proptest! {
        #[test]
        fn derived_slugs_have_the_form_of_a_slug(name in ".{0,200}") {
            let slug = derive_slug(&name);
            proptest::prop_assert!(has_slug_form(&slug) && (3..=63).contains(&slug.len()), "{}", slug);
        }

        #[test]
        fn derived_usernames_are_usernames(local in "[a-z0-9._-]{1,64}") {
            if let Ok(email) = Email::parse(&format!("{local}@example.com")) {
                proptest::prop_assert!(Username::parse(&derive_username(&email)).is_ok());
            }
        }
    }
}
