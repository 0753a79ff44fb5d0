//! Defaults of what an administrator may change at run time.

/// Who may register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationMode {
    /// Everybody.
    Open,
    /// Whoever has an invitation.
    Invitation,
    /// Mail addresses of the allowed domains, and whoever has an invitation.
    Domains,
    /// Nobody.
    Closed,
}

impl RegistrationMode {
    /// The words that name the modes.
    pub const NAMES: &'static [&'static str] = &["open", "invitation", "domains", "closed"];

    /// The word that names the mode.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Invitation => "invitation",
            Self::Domains => "domains",
            Self::Closed => "closed",
        }
    }
}

impl std::str::FromStr for RegistrationMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "open" => Ok(Self::Open),
            "invitation" => Ok(Self::Invitation),
            "domains" => Ok(Self::Domains),
            "closed" => Ok(Self::Closed),
            _ => Err(format!("must be one of {}", Self::NAMES.join(", "))),
        }
    }
}

/// What the hub starts with until an administrator decides otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hub {
    /// Who may register.
    pub registration: RegistrationMode,
    /// Mail domains for [`RegistrationMode::Domains`], lower-case.
    pub allowed_domains: Vec<String>,
    /// Whether people without an account may browse and ask.
    pub guest_access: bool,
    /// What the hub calls itself.
    pub instance_name: String,
}

/// Whether a text is a mail domain in lower case, such as `example.com` or `localhost`.
pub fn is_mail_domain(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read_back_and_domains_are_plain() {
        for name in RegistrationMode::NAMES {
            assert_eq!(name.parse::<RegistrationMode>().unwrap().as_str(), *name);
        }
        assert!(["example.com", "localhost", "a-b.example.org"].iter().all(|good| is_mail_domain(good)));
        for bad in ["", ".com", "a..b", "-a.com", "a b.com", "x@y.z", "UPPER.com", "*.example.com"] {
            assert!(!is_mail_domain(bad), "{bad}");
        }
    }
}
