//! Settings of mail and one-time codes.

use super::{Kind, Section, SettingDoc};
use crate::Role;

const HUB: &[Role] = &[Role::AllInOne, Role::Backend];
const COUNT: Kind = Kind::Integer { min: 1, max: 10_000 };
const WINDOW: Kind = Kind::Integer { min: 1, max: 1440 };

const fn setting(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> SettingDoc {
    SettingDoc::new(name, Section::Mail, kind, default, doc).only(HUB)
}

pub(super) const SETTINGS: &[SettingDoc] = &[
    setting(
        "MAIL_PROVIDER",
        Kind::Choice(&["none", "log", "smtp", "resend"]),
        "smtp with SMTP_HOST, resend with RESEND_API_KEY, else none",
        "How mail is sent. With any but none a new account must confirm its address, and a forgotten password can be \
         reset by mail. log writes each mail, with its code, to the log: for development only.",
    ),
    setting(
        "MAIL_LOG_IN_PRODUCTION",
        Kind::Flag,
        "false",
        "Allow MAIL_PROVIDER=log in production, where one-time codes would be in the log.",
    ),
    setting("SMTP_HOST", Kind::Text, "", "Name of the mail server, as its certificate shows it."),
    setting(
        "SMTP_PORT",
        Kind::Integer { min: 1, max: 65_535 },
        "587; 465 with SMTP_TLS=tls; 25 with SMTP_TLS=none",
        "Port of the mail server.",
    ),
    setting("SMTP_USERNAME", Kind::Text, "", "Name to sign in to the mail server with."),
    setting("SMTP_PASSWORD", Kind::Text, "", "Password for SMTP_USERNAME.").secret(),
    setting(
        "SMTP_TLS",
        Kind::Choice(&["starttls", "tls", "none"]),
        "starttls; tls with SMTP_PORT=465",
        "How the connection is encrypted: switched before anything is sent, from the first byte, or not at all, which \
         only a mail server on this machine may be.",
    ),
    setting(
        "SMTP_CA_FILE",
        Kind::Path,
        "",
        "PEM file of certificate authorities to trust besides the public ones, for a mail server with a certificate \
         of one's own.",
    ),
    setting(
        "SMTP_FROM_EMAIL",
        Kind::Text,
        "noreply@ the host of SYFTHUB_PUBLIC_URL",
        "Address of the sender, with every provider.",
    ),
    setting("SMTP_FROM_NAME", Kind::Text, "INSTANCE_NAME", "Name of the sender, with every provider."),
    setting("RESEND_API_KEY", Kind::Text, "", "Key of the Resend account that sends the mail.").secret(),
    setting(
        "RESEND_URL",
        Kind::Url,
        "https://api.resend.com/emails",
        "Where mails are posted to with MAIL_PROVIDER=resend.",
    ),
    setting("OTP_EMAIL_MAX_RETRIES", Kind::Integer { min: 1, max: 10 }, "3", "Tries to deliver one mail."),
    setting(
        "OTP_EMAIL_RETRY_DELAY_SECONDS",
        Kind::Seconds { min: 0, max: 3600 },
        "2.0",
        "Wait before the next try, times the number of tries so far.",
    ),
    setting("OTP_EXPIRY_MINUTES", WINDOW, "10", "How long a one-time code is good."),
    setting(
        "OTP_MAX_ATTEMPTS",
        Kind::Integer { min: 1, max: 20 },
        "5",
        "Guesses that one code allows; after the last wrong one a new code is needed.",
    ),
    setting(
        "OTP_RATE_LIMIT_MAX_REQUESTS",
        COUNT,
        "3",
        "Codes that one mail address may be sent for one purpose per window.",
    ),
    setting("OTP_RATE_LIMIT_WINDOW_MINUTES", WINDOW, "10", "Window of OTP_RATE_LIMIT_MAX_REQUESTS."),
    setting(
        "OTP_IP_RATE_LIMIT_MAX_REQUESTS",
        COUNT,
        "10",
        "Codes that one client address may ask for per window.",
    ),
    setting("OTP_IP_RATE_LIMIT_WINDOW_MINUTES", WINDOW, "10", "Window of OTP_IP_RATE_LIMIT_MAX_REQUESTS."),
    setting(
        "OTP_CLEANUP_INTERVAL_MINUTES",
        Kind::Integer { min: 1, max: 10_080 },
        "60",
        "How often codes that are used or expired are deleted.",
    ),
    setting(
        "OTP_CLEANUP_RETENTION_HOURS",
        Kind::Integer { min: 24, max: 8760 },
        "24",
        "How long codes that are used or expired are kept; their limits are counted from them.",
    ),
];
