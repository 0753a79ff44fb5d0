//! Mail and one-time codes.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use url::Host;

use super::addresses::constant;
use crate::mail_settings::{Mail, MailProvider, OneTimeCodes, Resend, Smtp, SmtpTls};
use crate::reader::Reader;
use crate::{Environment, PublicUrls, Rule, Secret};

const RESEND: &str = "https://api.resend.com/emails";

/// What was set, before it is known which provider it is for.
struct Given {
    host: Option<String>,
    port: Option<u32>,
    username: Option<String>,
    password: Option<Secret>,
    tls: Option<&'static str>,
    ca_file: Option<PathBuf>,
    resend_key: Option<Secret>,
    resend_url: url::Url,
    log_allowed: bool,
}

/// Reads how mail is sent.
pub(super) fn mail(
    reader: &mut Reader,
    environment: Environment,
    public: &PublicUrls,
    instance: &str,
) -> Mail {
    let given = read(reader);
    let implied = match (&given.host, &given.resend_key) {
        (Some(_), _) => "smtp",
        (None, Some(_)) => "resend",
        (None, None) => "none",
    };
    let word = reader.choice("MAIL_PROVIDER", implied);
    let provider = match word {
        "log" => log(reader, environment, given.log_allowed),
        "smtp" => smtp(reader, given),
        "resend" => resend(reader, given),
        _ => MailProvider::None,
    };
    Mail {
        provider,
        from_email: from_email(reader, public),
        from_name: from_name(reader, instance),
        max_tries: reader.integer("OTP_EMAIL_MAX_RETRIES", 3),
        retry_delay: reader.seconds("OTP_EMAIL_RETRY_DELAY_SECONDS", 2),
    }
}

fn read(reader: &mut Reader) -> Given {
    let masked = |_: &Secret| String::new(); // the table says that it is secret, and so it is not shown
    let port = |kind: crate::Kind, text: &str| match kind {
        crate::Kind::Integer { min, max } => {
            text.parse::<u32>().ok().filter(|number| (min..=max).contains(&u64::from(*number)))
        }
        _ => None,
    };
    Given {
        host: reader.optional("SMTP_HOST", |_, text| Some(text.trim().to_owned()), String::clone),
        port: reader.optional("SMTP_PORT", port, u32::to_string),
        username: reader.optional("SMTP_USERNAME", |_, text| Some(text.to_owned()), String::clone),
        password: reader.optional("SMTP_PASSWORD", |_, text| Some(Secret::new(text)), masked),
        tls: reader.optional("SMTP_TLS", crate::reader::parse_choice, |word| (*word).to_owned()),
        ca_file: reader.path("SMTP_CA_FILE"),
        resend_key: reader.optional("RESEND_API_KEY", |_, text| Some(Secret::new(text)), masked),
        resend_url: reader.url_or("RESEND_URL", constant(RESEND)),
        log_allowed: reader.flag("MAIL_LOG_IN_PRODUCTION", false),
    }
}

fn log(reader: &mut Reader, environment: Environment, allowed: bool) -> MailProvider {
    if environment.is_production() && !allowed {
        let message = "must not be log in production, where the codes would be in the log; use smtp or resend, or set \
                       MAIL_LOG_IN_PRODUCTION=true";
        reader.problem("MAIL_PROVIDER", message);
    }
    MailProvider::Log
}

fn smtp(reader: &mut Reader, given: Given) -> MailProvider {
    let Some(host) = given.host else {
        let message = "is not set; MAIL_PROVIDER=smtp needs the name of a mail server, for example \
                       SMTP_HOST=smtp.example.com";
        reader.problem("SMTP_HOST", message);
        return MailProvider::None;
    };
    let tls = match (given.tls, given.port) {
        (Some("tls"), _) | (None, Some(465)) => SmtpTls::Tls,
        (Some("none"), _) => SmtpTls::None,
        _ => SmtpTls::StartTls,
    };
    if tls == SmtpTls::None && !is_this_machine(&host) {
        let message = "must not be none for a mail server on another machine, where anybody in between could read the \
                       codes; use starttls or tls";
        reader.problem("SMTP_TLS", message);
    }
    let credentials = match (given.username, given.password) {
        (Some(name), Some(password)) => Some((name, password)),
        (None, None) => None,
        (Some(_), None) => {
            reader.problem("SMTP_PASSWORD", "is not set, but SMTP_USERNAME is; set both or neither");
            None
        }
        (None, Some(_)) => {
            reader.problem("SMTP_USERNAME", "is not set, but SMTP_PASSWORD is; set both or neither");
            None
        }
    };
    let usual = match tls {
        SmtpTls::StartTls => 587,
        SmtpTls::Tls => 465,
        SmtpTls::None => 25,
    };
    let port = given.port.and_then(|port| u16::try_from(port).ok()).unwrap_or(usual);
    MailProvider::Smtp(Smtp { host, port, credentials, tls, ca_file: given.ca_file })
}

fn is_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn resend(reader: &mut Reader, given: Given) -> MailProvider {
    let Some(api_key) = given.resend_key else {
        reader
            .problem("RESEND_API_KEY", "is not set; MAIL_PROVIDER=resend needs the key of a Resend account");
        return MailProvider::None;
    };
    MailProvider::Resend(Resend { api_key, url: given.resend_url })
}

/// An address of the hub's own host, unless another one is set: a mail server takes no other one easily.
fn from_email(reader: &mut Reader, public: &PublicUrls) -> String {
    let host = match public.public.host() {
        Some(Host::Domain(name)) => name,
        _ => "localhost",
    };
    let address = reader.text("SMTP_FROM_EMAIL", &format!("noreply@{host}"));
    let good =
        |(local, domain): (&str, &str)| !local.is_empty() && !domain.is_empty() && !domain.contains('@');
    let plain = !address.chars().any(|c| c.is_whitespace() || c.is_control() || "<>,;\"".contains(c));
    if !plain || !address.split_once('@').is_some_and(good) {
        reader.problem("SMTP_FROM_EMAIL", "is not a mail address; it must look like hub@example.com");
    }
    address
}

fn from_name(reader: &mut Reader, instance: &str) -> String {
    let name = reader.text("SMTP_FROM_NAME", instance);
    if name.chars().any(char::is_control) || name.chars().count() > 100 {
        reader.problem("SMTP_FROM_NAME", "must be one line of at most 100 characters");
    }
    name
}

/// Reads the rules of one-time codes.
pub(super) fn one_time_codes(reader: &mut Reader) -> OneTimeCodes {
    let minutes = |count: u32| Duration::from_mins(u64::from(count));
    let rule = |reader: &mut Reader, max: &'static str, window: &'static str, default: u32| Rule {
        max: reader.integer(max, default),
        window: minutes(reader.integer(window, 10)),
    };
    OneTimeCodes {
        life: minutes(reader.integer("OTP_EXPIRY_MINUTES", 10)),
        max_attempts: reader.integer("OTP_MAX_ATTEMPTS", 5),
        per_email: rule(reader, "OTP_RATE_LIMIT_MAX_REQUESTS", "OTP_RATE_LIMIT_WINDOW_MINUTES", 3),
        per_ip: rule(reader, "OTP_IP_RATE_LIMIT_MAX_REQUESTS", "OTP_IP_RATE_LIMIT_WINDOW_MINUTES", 10),
        cleanup_interval: minutes(reader.integer("OTP_CLEANUP_INTERVAL_MINUTES", 60)),
        cleanup_retention: minutes(60 * reader.integer("OTP_CLEANUP_RETENTION_HOURS", 24)),
    }
}
