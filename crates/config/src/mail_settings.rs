//! The settings of mail and of the one-time codes that go by mail.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::Secret;
use crate::service_settings::Rule;

/// How mail is sent, and from whom.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The way out.
    pub provider: MailProvider,
    /// Address of the sender.
    pub from_email: String,
    /// Name of the sender.
    pub from_name: String,
    /// How often a mail is tried before it is given up.
    pub max_tries: u32,
    /// Wait before the next try, times the number of tries so far.
    pub retry_delay: Duration,
}

/// A way out for mail.
#[derive(Clone, Debug)]
pub enum MailProvider {
    /// No mail: addresses are not verified and forgotten passwords are for an administrator.
    None,
    /// Each mail is a line of the log, for development.
    Log,
    /// A mail server.
    Smtp(Smtp),
    /// The HTTP interface of Resend, or one like it.
    Resend(Resend),
}

impl MailProvider {
    /// Whether mail can be sent.
    pub const fn is_some(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// The word of `MAIL_PROVIDER`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Log => "log",
            Self::Smtp(_) => "smtp",
            Self::Resend(_) => "resend",
        }
    }
}

/// A mail server.
#[derive(Clone, Debug)]
pub struct Smtp {
    /// Its name, which its certificate must show.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Name and password, if it wants them.
    pub credentials: Option<(String, Secret)>,
    /// How the connection is encrypted.
    pub tls: SmtpTls,
    /// PEM file of authorities to trust besides the public ones.
    pub ca_file: Option<PathBuf>,
}

/// How the connection to a mail server is encrypted (`SMTP_TLS`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// It begins in clear and must switch before anything is said.
    StartTls,
    /// From the first byte.
    Tls,
    /// Not at all; only to a server on the same machine.
    None,
}

/// The HTTP interface of Resend.
#[derive(Clone, Debug)]
pub struct Resend {
    /// Key of the account.
    pub api_key: Secret,
    /// Where mails are posted to.
    pub url: Url,
}

/// One-time codes.
#[derive(Clone, Copy, Debug)]
pub struct OneTimeCodes {
    /// How long a code is good.
    pub life: Duration,
    /// Guesses that one code allows.
    pub max_attempts: u32,
    /// Codes that one mail address may be sent for one purpose.
    pub per_email: Rule,
    /// Codes that one network address may ask for.
    pub per_ip: Rule,
    /// How often what is over is deleted.
    pub cleanup_interval: Duration,
    /// How long what is over is kept.
    pub cleanup_retention: Duration,
}
