//! What can go wrong with a cache.

use std::time::Duration;

use syfthub_domain::{Error as DomainError, ErrorCode};

/// `Result` with the error of a cache.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a cache gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The server cannot be reached or did not answer in time.
    #[error("the cache cannot be reached: {0}")]
    Unavailable(String),
    /// The server answered with an error.
    #[error("the cache refused: {0}")]
    Refused(String),
    /// The key is empty or longer than [`crate::MAX_KEY`].
    #[error("a cache key must have 1 to 512 bytes")]
    Key,
    /// The value is larger than [`crate::MAX_VALUE`].
    #[error("the value is too large for the cache")]
    TooLarge,
    /// The value cannot be written as JSON.
    #[error("the value cannot be written as JSON: {0}")]
    Unencodable(String),
    /// The address of the server is not a Redis URL. The text does not repeat it: it may hold a
    /// password.
    #[error("REDIS_URL is not a Redis URL: expected redis://[user:password@]host[:port][/database]")]
    Address,
}

impl From<Error> for DomainError {
    fn from(error: Error) -> Self {
        match error {
            Error::Unavailable(_) => Self::new(ErrorCode::Unavailable, "The service cannot answer right now")
                .with_retry_after(Duration::from_secs(1))
                .with_source(error),
            other => Self::internal(other),
        }
    }
}
