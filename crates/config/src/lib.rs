//! Settings: loading, validation, description, and generation of .env.example and docs/CONFIG.md.
//!
//! [`load`] turns an [`Input`] into [`Settings`] for one [`Role`], or reports all [`Problems`] at once.

mod for_tests;
mod input;
mod load;
mod secret;
mod service_settings;
mod settings;

pub use input::Input;
pub use load::{GeneratedSecret, Loaded, Problem, Problems, load};
pub use secret::Secret;
pub use service_settings::{Aggregator, Argon2Params, Grpc, HealthCheck, Mcp, Passwords, RateLimits, Rule};
pub use settings::{
    Database, DatabaseUrl, Egress, EgressAllow, EncryptionKey, Environment, Http, Log, LogFormat, LogLevel,
    MetricsListen, Otlp, PublicUrls, Redis, RefreshRotation, Role, RsaKeys, Secrets, Settings, Tokens,
};

/// Largest request body in bytes unless `MAX_BODY_BYTES` says otherwise.
pub const DEFAULT_BODY_LIMIT: usize = 10 * 1024 * 1024;
