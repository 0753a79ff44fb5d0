//! What was decided against the defaults, and changes to it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use syfthub_config::{Hub, RegistrationMode, is_mail_domain};
use syfthub_domain::{Error, FieldError, Loc, Result};
use syfthub_web::Fields;
use syfthub_web::fields::Patch;

/// Most allowed domains.
pub(super) const MAX_DOMAINS: usize = 100;
/// Longest mail domain, as it is written, in bytes.
const MAX_DOMAIN: usize = 253;
/// Longest name of a hub, in characters.
pub(super) const MAX_NAME: usize = 60;

/// Names of the settings, as the routes and the command line spell them.
pub(super) const NAMES: [&str; 4] = ["registration", "allowed_domains", "guest_access", "instance_name"];

/// What was decided; a setting that is `None` has its default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Overrides {
    #[serde(skip_serializing_if = "Option::is_none")]
    registration: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_domains: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    guest_access: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_name: Option<String>,
}

/// Which settings change, and to what; `null` means back to the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Change {
    registration: Patch<RegistrationMode>,
    allowed_domains: Patch<Vec<String>>,
    guest_access: Patch<bool>,
    instance_name: Patch<String>,
}

impl Change {
    /// Reads a change; all fields that are wrong are reported at once.
    pub(crate) fn read(body: Value) -> Result<Self> {
        let mut fields = Fields::body(body)?;
        let change = Self {
            registration: fields.string("registration").choice(RegistrationMode::NAMES).patch(),
            allowed_domains: fields
                .strings("allowed_domains")
                .items(0, MAX_DOMAINS)
                .rule(|domains| are_domains(domains))
                .patch()
                .map(|domains| plain(&domains)),
            guest_access: fields.boolean("guest_access").patch(),
            instance_name: fields
                .string("instance_name")
                .trimmed()
                .length(1, MAX_NAME)
                .rule(|text| one_line(text))
                .patch(),
        };
        fields.finish()?;
        Ok(change)
    }

    /// The change of one setting, whose value is text as on the command line; `None` is the default.
    pub(crate) fn of_text(name: &str, value: Option<&str>) -> Result<Self> {
        if !NAMES.contains(&name) {
            let text = format!("There is no setting {name}; there are {}", NAMES.join(", "));
            return Err(Error::new(syfthub_domain::ErrorCode::BadRequest, text));
        }
        let value = match value {
            None => Value::Null,
            Some(text) if name == "allowed_domains" => {
                text.split([',', ' ']).map(str::trim).filter(|part| !part.is_empty()).collect()
            }
            Some(text) => Value::from(text),
        };
        Self::read(Value::Object([(name.to_owned(), value)].into_iter().collect()))
    }
}

impl Overrides {
    /// Reads what is stored. What a later version wrote may have words that this one does not know.
    pub(super) fn read(stored: Option<&str>) -> Result<Self> {
        let Some(text) = stored else { return Ok(Self::default()) };
        serde_json::from_str(text).map_err(Error::internal)
    }

    /// As it is stored.
    pub(super) fn to_text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(Error::internal)
    }

    /// With a change.
    pub(super) fn with(mut self, change: &Change) -> Self {
        let registration = change.registration.clone().map(|mode| mode.as_str().to_owned());
        registration.apply(&mut self.registration);
        change.allowed_domains.clone().apply(&mut self.allowed_domains);
        change.guest_access.clone().apply(&mut self.guest_access);
        change.instance_name.clone().apply(&mut self.instance_name);
        self
    }

    /// The settings in force with these defaults.
    pub(super) fn over(&self, defaults: &Hub) -> Hub {
        let mode = self.registration.as_deref().map(|word| {
            // A word of a later version: nobody registers until somebody decides again.
            word.parse().unwrap_or(RegistrationMode::Closed)
        });
        Hub {
            registration: mode.unwrap_or(defaults.registration),
            allowed_domains: self.allowed_domains.clone().unwrap_or_else(|| defaults.allowed_domains.clone()),
            guest_access: self.guest_access.unwrap_or(defaults.guest_access),
            instance_name: self.instance_name.clone().unwrap_or_else(|| defaults.instance_name.clone()),
        }
    }

    /// Names of the settings that do not have their defaults.
    pub(super) fn names(&self) -> Vec<&'static str> {
        let set = [
            self.registration.is_some(),
            self.allowed_domains.is_some(),
            self.guest_access.is_some(),
            self.instance_name.is_some(),
        ];
        NAMES.into_iter().zip(set).filter(|(_, set)| *set).map(|(name, _)| name).collect()
    }
}

/// What must hold across settings.
pub(super) fn check(settings: &Hub) -> Result<()> {
    if settings.registration == RegistrationMode::Domains && settings.allowed_domains.is_empty() {
        let why = "Value error, registration by domains needs at least one allowed domain; set both at once";
        let loc = vec![Loc::from("body"), Loc::from("allowed_domains")];
        return Err(Error::fields(vec![FieldError::new("value_error", loc, why)]));
    }
    Ok(())
}

fn one_line(text: &str) -> std::result::Result<(), String> {
    if text.chars().any(char::is_control) { Err("must be one line".to_owned()) } else { Ok(()) }
}

fn are_domains(domains: &[String]) -> std::result::Result<(), String> {
    let good = |domain: &String| domain.len() <= MAX_DOMAIN && is_mail_domain(&plain_domain(domain));
    match domains.iter().find(|domain| !good(domain)) {
        Some(bad) => {
            let shown: String = bad.chars().take(60).collect();
            Err(format!("{shown:?} is not a mail domain such as example.com"))
        }
        None => Ok(()),
    }
}

fn plain(domains: &[String]) -> Vec<String> {
    let mut plain: Vec<String> = domains.iter().map(|domain| plain_domain(domain)).collect();
    plain.sort();
    plain.dedup();
    plain
}

fn plain_domain(text: &str) -> String {
    // Some letters beyond ASCII become ASCII in lower case; they would pass for another domain.
    text.strip_prefix('@').unwrap_or(text).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn defaults() -> Hub {
        Hub {
            registration: RegistrationMode::Open,
            allowed_domains: Vec::new(),
            guest_access: true,
            instance_name: "SyftHub".to_owned(),
        }
    }

    #[test]
    fn a_change_keeps_what_it_does_not_name_and_null_is_the_default() {
        let first =
            Change::read(json!({"registration": "domains", "allowed_domains": ["@B.com", "a.com", "b.com"]}));
        let decided = Overrides::default().with(&first.unwrap());
        let stored = Overrides::read(Some(&decided.to_text().unwrap())).unwrap();
        assert_eq!(stored, decided);
        let hub = stored.over(&defaults());
        assert_eq!((hub.registration, hub.guest_access), (RegistrationMode::Domains, true));
        assert_eq!(hub.allowed_domains, ["a.com", "b.com"]);
        assert_eq!(stored.names(), ["registration", "allowed_domains"]);
        let back = stored.with(&Change::of_text("registration", None).unwrap());
        assert_eq!(back.over(&defaults()).registration, RegistrationMode::Open);
    }

    #[test]
    fn values_may_be_text_and_nonsense_is_refused() {
        let off = Overrides::default().with(&Change::of_text("guest_access", Some("off")).unwrap());
        assert!(!off.over(&defaults()).guest_access);
        let domains = Change::of_text("allowed_domains", Some("a.com, b.com")).unwrap();
        assert_eq!(Overrides::default().with(&domains).over(&defaults()).allowed_domains, ["a.com", "b.com"]);
        for (name, bad) in
            [("guest_access", "maybe"), ("registration", "x"), ("allowed_domains", "*"), ("x", "y")]
        {
            assert!(Change::of_text(name, Some(bad)).is_err(), "{name}");
        }
        let by_domains =
            Overrides::default().with(&Change::of_text("registration", Some("domains")).unwrap());
        assert!(check(&by_domains.over(&defaults())).is_err(), "no domain is allowed");
    }

    #[test]
    fn domains_are_what_the_api_document_says() {
        let take = |domain: &str| Change::read(json!({"allowed_domains": [domain]})).is_ok();
        for good in ["a.com", "@A.com", "localhost", "x--y.example"] {
            assert!(take(good), "{good}");
        }
        let long = format!("@{}", ["a".repeat(63).as_str(); 4].join("."))[..254].to_owned();
        for bad in [
            "",
            "@",
            "@@a.com",
            " a.com",
            "a.com ",
            "-a.com",
            "a..com",
            "\u{212a}.com",
            "b\u{fc}cher.de",
            &long,
        ] {
            assert!(!take(bad), "{bad}");
        }
        assert!(take(&long[1..254]), "as long as it may be");
    }

    #[test]
    fn a_word_of_a_later_version_lets_nobody_in() {
        let later = Overrides::read(Some(r#"{"registration": "by-moonlight", "tides": 2}"#)).unwrap();
        assert_eq!(later.over(&defaults()).registration, RegistrationMode::Closed);
    }
}
