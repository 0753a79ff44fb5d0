//! Settings: loading, validation, description, and generation of .env.example and docs/CONFIG.md.
//!
//! [`load`] turns an [`Input`] into [`Settings`] for one [`Role`], or reports all [`Problems`] at once.
//! [`TABLE`] describes every setting; loading and all documents follow it.

mod chat_settings;
mod dotenv;
mod for_tests;
mod generated;
mod hub_settings;
mod input;
mod load;
mod mail_settings;
mod optional_settings;
mod reader;
mod render;
mod secret;
mod service_settings;
mod settings;
mod sign_in_settings;
mod sources;
mod table;
mod urls;

pub use chat_settings::{ChatRules, Reranker};
pub use hub_settings::{Hub, RegistrationMode, is_mail_domain};
pub use input::Input;
pub use load::{GeneratedSecret, Loaded, Problem, Problems, load};
pub use mail_settings::{Mail, MailProvider, OneTimeCodes, Resend, Smtp, SmtpTls};
pub use optional_settings::{FeedbackSink, Nats, Ngrok, OptionalParts};
pub use reader::Effective;
pub use render::{database_url_clean, effective, render_config_md, render_env_example};
pub use secret::Secret;
pub use service_settings::{
    Aggregator, Argon2Params, Audit, Grpc, HealthCheck, Mcp, Passwords, RateLimits, Rule, Wallet,
    WalletProvider,
};
pub use settings::{
    Database, DatabaseUrl, Egress, EgressAllow, EncryptionKey, Environment, Http, Log, LogFormat, LogLevel,
    MetricsListen, Otlp, PublicUrls, Redis, RefreshRotation, Role, RsaKeys, Secrets, Settings, Tokens,
};
pub use sign_in_settings::{GitHubSignIn, GoogleSignIn, SignIn};
pub use sources::Origin;
pub use table::{Kind, Section, SettingDoc, TABLE, WITHOUT_EFFECT};

/// Largest request body in bytes unless `MAX_BODY_BYTES` says otherwise.
pub const DEFAULT_BODY_LIMIT: usize = 10 * 1024 * 1024;
