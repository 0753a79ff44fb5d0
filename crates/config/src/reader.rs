//! Typed reading of settings, which collects every fault and every effective value on the way.

use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use crate::sources::{Found, Origin, Sources};
use crate::table::{self, Kind, SettingDoc};
use crate::{LogLevel, MetricsListen, Problem, Role};

/// A value in force, for `syfthub config`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// Name of the setting.
    pub name: &'static str,
    /// The value, with secrets masked.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// What stands in place of a secret.
pub(crate) const MASK: &str = "********";
const UNSET: &str = "(not set)";

pub(crate) struct Reader {
    pub(crate) role: Role,
    pub(crate) sources: Sources,
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<String>,
    pub(crate) effective: Vec<Effective>,
}

impl Reader {
    /// Reports a fault of a setting.
    pub(crate) fn problem(&mut self, setting: &str, message: impl Into<String>) {
        self.problems.push(Problem { setting: setting.to_owned(), message: message.into() });
    }

    fn setting(&mut self, name: &'static str) -> Option<&'static SettingDoc> {
        let setting = table::find(name);
        if setting.is_none() {
            // A test reads every setting of every role, so this cannot happen in a build that passed.
            self.problem(name, "is missing in the table of settings");
        }
        setting.filter(|setting| setting.programs.contains(&self.role))
    }

    /// Records the effective value of a setting.
    pub(crate) fn record(&mut self, name: &'static str, value: String, origin: Origin) {
        self.effective.push(Effective { name, value, origin });
    }

    /// Returns the raw value of a setting, if it is set and this program reads it.
    pub(crate) fn raw(&mut self, name: &'static str) -> Option<(&'static SettingDoc, Found)> {
        let setting = self.setting(name)?;
        match self.sources.find(setting) {
            Ok(found) => found.map(|found| (setting, found)),
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        }
    }

    /// Reads a setting that may be absent.
    pub(crate) fn optional<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(Kind, &str) -> Option<T>,
        show: impl Fn(&T) -> String,
    ) -> Option<T> {
        self.read(name, parse, show, None)
    }

    /// Reads a setting that has a default.
    pub(crate) fn value<T>(
        &mut self,
        name: &'static str,
        default: T,
        parse: impl Fn(Kind, &str) -> Option<T>,
        show: impl Fn(&T) -> String,
    ) -> T {
        let shown = show(&default);
        self.read(name, parse, show, Some(shown)).unwrap_or(default)
    }

    fn read<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(Kind, &str) -> Option<T>,
        show: impl Fn(&T) -> String,
        default: Option<String>,
    ) -> Option<T> {
        let Some((setting, found)) = self.raw(name) else {
            if table::find(name).is_some_and(|setting| setting.programs.contains(&self.role)) {
                self.record(name, default.unwrap_or_else(|| UNSET.to_owned()), Origin::Default);
            }
            return None;
        };
        let parsed = parse(setting.kind, &found.value);
        if let Some(value) = &parsed {
            let shown = if setting.secret { MASK.to_owned() } else { show(value) };
            self.record(name, shown, found.origin);
        } else {
            let got = if setting.secret { String::new() } else { format!(", not {}", quoted(&found.value)) };
            let message = format!("expects {}{got} (set in {})", setting.kind.expects(), found.origin);
            self.problem(&found.name, message);
        }
        parsed
    }

    pub(crate) fn flag(&mut self, name: &'static str, default: bool) -> bool {
        self.value(name, default, |_, text| parse_flag(text), bool::to_string)
    }

    pub(crate) fn integer(&mut self, name: &'static str, default: u32) -> u32 {
        self.value(name, default, parse_integer, u32::to_string)
    }

    pub(crate) fn seconds(&mut self, name: &'static str, default: u64) -> Duration {
        let show = |value: &Duration| value.as_secs_f64().to_string();
        self.value(name, Duration::from_secs(default), parse_seconds, show)
    }

    pub(crate) fn port(&mut self, name: &'static str, default: u16) -> u16 {
        self.value(name, default, |_, text| text.parse().ok(), u16::to_string)
    }

    pub(crate) fn host(&mut self, name: &'static str, default: IpAddr) -> IpAddr {
        self.value(name, default, |_, text| parse_host(text), IpAddr::to_string)
    }

    pub(crate) fn text(&mut self, name: &'static str, default: &str) -> String {
        self.value(name, default.to_owned(), |_, text| Some(text.to_owned()), String::clone)
    }

    pub(crate) fn url(&mut self, name: &'static str) -> Option<Url> {
        self.optional(name, |_, text| parse_url(text), shown_url)
    }

    pub(crate) fn url_or(&mut self, name: &'static str, default: Url) -> Url {
        self.value(name, default, |_, text| parse_url(text), shown_url)
    }

    pub(crate) fn path(&mut self, name: &'static str) -> Option<PathBuf> {
        self.optional(name, |_, text| Some(PathBuf::from(text)), |path| path.display().to_string())
    }

    pub(crate) fn list(&mut self, name: &'static str, default: Vec<String>) -> Vec<String> {
        self.value(name, default, |_, text| parse_list(text), |items| items.join(","))
    }

    pub(crate) fn level(&mut self, name: &'static str, default: LogLevel) -> LogLevel {
        let show = |level: &LogLevel| level.as_str().to_owned();
        self.value(name, default, |_, text| LogLevel::parse(text), show)
    }

    /// Reads a word of a closed set, in lower case.
    pub(crate) fn choice(&mut self, name: &'static str, default: &'static str) -> &'static str {
        self.value(name, default, parse_choice, |word| (*word).to_owned())
    }
}

fn quoted(value: &str) -> String {
    let short: String = value.chars().take(60).collect();
    let more = if short.len() < value.len() { "…" } else { "" };
    format!("{short:?}{more}")
}

fn shown_url(url: &Url) -> String {
    if url.password().is_some() { crate::urls::masked(url.as_str()) } else { trimmed(url) }
}

/// Writes a URL without a trailing slash, for gluing paths onto.
pub(crate) fn trimmed(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

pub(crate) fn parse_flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

fn parse_integer(kind: Kind, text: &str) -> Option<u32> {
    let Kind::Integer { min, max } = kind else { return None };
    let number: u32 = text.parse().ok()?;
    (min..=max).contains(&u64::from(number)).then_some(number)
}

fn parse_seconds(kind: Kind, text: &str) -> Option<Duration> {
    let (Kind::Seconds { min, max } | Kind::Integer { min, max }) = kind else { return None };
    let seconds: f64 = text.parse().ok().filter(|seconds: &f64| seconds.is_finite())?;
    (min as f64..=max as f64).contains(&seconds).then(|| Duration::from_secs_f64(seconds))
}

fn parse_host(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if bare.eq_ignore_ascii_case("localhost") { Some(Ipv4Addr::LOCALHOST.into()) } else { bare.parse().ok() }
}

fn parse_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

/// Reads an address without a path.
pub(crate) fn parse_origin(text: &str) -> Option<Url> {
    parse_url(text).filter(|url| {
        url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty()
    })
}

fn parse_list(text: &str) -> Option<Vec<String>> {
    let items: Vec<String> = if text.starts_with('[') {
        serde_json::from_str(text).ok()?
    } else {
        text.split(',').map(str::to_owned).collect()
    };
    let items = items.iter().map(|item| item.trim().trim_end_matches('/').to_owned());
    Some(items.filter(|item| !item.is_empty()).collect())
}

pub(crate) fn parse_choice(kind: Kind, text: &str) -> Option<&'static str> {
    let Kind::Choice(words) = kind else { return None };
    let lower = text.to_ascii_lowercase();
    let lower = match lower.as_str() {
        "dev" => "development",
        "prod" => "production",
        "testing" => "test",
        other => other,
    };
    words.iter().copied().find(|word| *word == lower)
}

pub(crate) fn parse_networks(text: &str) -> Option<Vec<IpNet>> {
    if text.eq_ignore_ascii_case("none") {
        return Some(Vec::new());
    }
    let network =
        |item: &str| item.parse::<IpNet>().ok().or_else(|| item.parse::<IpAddr>().ok().map(IpNet::from));
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(network).collect()
}

pub(crate) fn parse_listener(text: &str) -> Option<MetricsListen> {
    if ["off", "none", "false"].contains(&text.to_ascii_lowercase().as_str()) {
        return Some(MetricsListen(None));
    }
    let text =
        text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    text.parse().ok().map(|at| MetricsListen(Some(at)))
}

/// Joins shown values with commas, or says that there is none.
pub(crate) fn joined<T: Display>(items: &[T]) -> String {
    if items.is_empty() {
        return "none".to_owned();
    }
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
