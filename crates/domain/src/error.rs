//! The error of the product and the one table that maps it to HTTP and gRPC.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::FieldError;

/// `Result` with the product's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Canonical gRPC status codes that the table uses (google.rpc.Code numbers).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
#[expect(missing_docs, reason = "the names are those of google.rpc.Code")]
pub enum GrpcCode {
    Cancelled = 1,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Internal = 13,
    Unavailable = 14,
    Unauthenticated = 16,
}

macro_rules! error_codes {
    ($($variant:ident => $name:literal, $http:literal, $grpc:ident, $doc:literal;)+) => {
        /// What went wrong, as a closed set. `docs/ERRORS.md` is generated from this table.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $(#[doc = $doc] $variant,)+ }

        impl ErrorCode {
            /// Every row of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name on the wire, for example `NOT_FOUND`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// HTTP status.
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$variant => $http,)+ }
            }

            /// gRPC status.
            pub const fn grpc_code(self) -> GrpcCode {
                match self { $(Self::$variant => GrpcCode::$grpc,)+ }
            }

            /// When it is raised, in words.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => $doc,)+ }
            }

            /// Whether the text of such an error may repeat what an endpoint said, which may repeat what it was asked.
            /// Logs then say something else.
            pub const fn repeats_others(self) -> bool {
                matches!(
                    self,
                    Self::GenerationFailed
                        | Self::ModelAccessDenied
                        | Self::SourceAccessDenied
                        | Self::RetrievalFailed
                )
            }

            /// Reads a name back.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.name() == name)
            }
        }
    };
}

error_codes! {
    BadRequest => "BAD_REQUEST", 400, InvalidArgument, "The request cannot be served as it is.";
    Unauthenticated => "UNAUTHENTICATED", 401, Unauthenticated, "No credential, or one that is not good.";
    InvalidDpopProof => "INVALID_DPOP_PROOF", 401, Unauthenticated, "The DPoP proof of the request is missing or not good; the text says why.";
    PermissionDenied => "PERMISSION_DENIED", 403, PermissionDenied, "The caller may not do this.";
    EmailNotVerified => "EMAIL_NOT_VERIFIED", 403, PermissionDenied, "The account's e-mail address is not verified yet.";
    EgressRefused => "EGRESS_REFUSED", 403, PermissionDenied, "The address is one that the hub does not call.";
    NotFound => "NOT_FOUND", 404, NotFound, "It does not exist, or the caller may not see it.";
    MethodNotAllowed => "METHOD_NOT_ALLOWED", 405, InvalidArgument, "The path exists, this method on it does not.";
    NotAcceptable => "NOT_ACCEPTABLE", 406, InvalidArgument, "No representation that the client accepts.";
    RequestTimeout => "REQUEST_TIMEOUT", 408, DeadlineExceeded, "The request body did not arrive in time.";
    Conflict => "CONFLICT", 409, AlreadyExists, "Something with this name exists already.";
    UserAlreadyExists => "USER_ALREADY_EXISTS", 409, AlreadyExists, "An account with this e-mail address exists.";
    Gone => "GONE", 410, FailedPrecondition, "It was there once and will not come back.";
    PayloadTooLarge => "PAYLOAD_TOO_LARGE", 413, ResourceExhausted, "The request body is larger than allowed.";
    UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE", 415, InvalidArgument, "The request body is of a type that this route does not read.";
    ValidationError => "VALIDATION_ERROR", 422, InvalidArgument, "One or more fields are wrong; all of them are listed.";
    RateLimited => "RATE_LIMITED", 429, ResourceExhausted, "Too many requests; wait as long as Retry-After says.";
    MissingAudience => "MISSING_AUDIENCE", 400, InvalidArgument, "A satellite token needs an audience.";
    AudienceNotFound => "AUDIENCE_NOT_FOUND", 404, NotFound, "No user has the name that was given as audience.";
    AudienceInactive => "AUDIENCE_INACTIVE", 400, FailedPrecondition, "The user given as audience is not active.";
    KeyNotConfigured => "KEY_NOT_CONFIGURED", 503, Unavailable, "The hub has no RSA key to sign with.";
    KeyLoadError => "KEY_LOAD_ERROR", 503, Unavailable, "The hub's RSA key cannot be read.";
    SyncFailed => "SYNC_FAILED", 500, Internal, "The batch was rolled back; nothing changed.";
    InvalidOtp => "INVALID_OTP", 400, InvalidArgument, "The one-time code is wrong, used or expired.";
    OtpMaxAttempts => "OTP_MAX_ATTEMPTS", 429, ResourceExhausted, "Too many wrong one-time codes; ask for a new one.";
    OtpRateLimited => "OTP_RATE_LIMITED", 429, ResourceExhausted, "Too many one-time codes were asked for.";
    WalletNotConfigured => "WALLET_NOT_CONFIGURED", 400, FailedPrecondition, "The caller has no wallet.";
    ChallengeTooLarge => "CHALLENGE_TOO_LARGE", 400, InvalidArgument, "The payment challenge is longer than 10,000 characters.";
    InvalidChallenge => "INVALID_CHALLENGE", 422, InvalidArgument, "The payment challenge cannot be read.";
    InsufficientBalance => "INSUFFICIENT_BALANCE", 400, FailedPrecondition, "The wallet does not hold enough.";
    PaymentFailed => "PAYMENT_FAILED", 502, Unavailable, "The payment provider refused the payment.";
    BlockchainTimeout => "BLOCKCHAIN_TIMEOUT", 504, DeadlineExceeded, "The payment was not confirmed in time.";
    AccountingNotConfigured => "ACCOUNTING_NOT_CONFIGURED", 400, FailedPrecondition, "The caller has no accounting account.";
    NotConfigured => "NOT_CONFIGURED", 503, Unavailable, "The feature is switched off on this hub; the text names the setting.";
    RetrievalFailed => "RETRIEVAL_FAILED", 400, FailedPrecondition, "No selected data source could be used.";
    GenerationFailed => "GENERATION_FAILED", 400, FailedPrecondition, "The model did not produce an answer.";
    ModelAccessDenied => "MODEL_ACCESS_DENIED", 400, PermissionDenied, "The model refused the caller.";
    SourceAccessDenied => "SOURCE_ACCESS_DENIED", 400, PermissionDenied, "A data source refused the caller.";
    UpstreamFailed => "UPSTREAM_FAILED", 502, Unavailable, "A service that this one depends on answered with an error.";
    UpstreamTimeout => "UPSTREAM_TIMEOUT", 504, DeadlineExceeded, "A service that this one depends on did not answer in time.";
    Unavailable => "UNAVAILABLE", 503, Unavailable, "The service cannot answer right now.";
    Interrupted => "interrupted", 503, Unavailable, "The process that worked on a request with an Idempotency-Key is gone; what it had said was repeated.";
    Cancelled => "CANCELLED", 499, Cancelled, "The caller went away.";
    Internal => "INTERNAL_ERROR", 500, Internal, "A fault of the hub; the correlation id leads to the log line.";
}

/// What the client is told in `detail` (spec backend 0.1).
#[derive(Debug, Clone, PartialEq)]
pub enum Detail {
    /// A plain string.
    Text,
    /// `{code, message, …extras}`.
    Coded(Map<String, Value>),
    /// The list of failing fields.
    Fields(Vec<FieldError>),
}

/// The error of the product. `message` is for the client; `source` is for the log and never leaves.
#[derive(Debug)]
pub struct Error {
    /// Row of the table.
    pub code: ErrorCode,
    /// Text for the client.
    pub message: String,
    /// Shape of `detail`.
    pub detail: Detail,
    /// When a retry makes sense.
    pub retry_after: Option<Duration>,
    /// Internal cause, logged once at the edge.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error whose `detail` is a plain string.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), detail: Detail::Text, retry_after: None, source: None }
    }

    /// An error whose `detail` is `{code, message}`.
    pub fn coded(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { detail: Detail::Coded(Map::new()), ..Self::new(code, message) }
    }

    /// A 422 that lists every failing field.
    pub fn fields(fields: Vec<FieldError>) -> Self {
        let message = match fields.as_slice() {
            [only] => only.msg.clone(),
            many => format!("{} fields are not valid", many.len()),
        };
        Self { detail: Detail::Fields(fields), ..Self::new(ErrorCode::ValidationError, message) }
    }

    /// A fault of the hub. The client sees a fixed text, the log the cause.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(ErrorCode::Internal, "Internal server error").with_source(source)
    }

    /// 404 with a plain text.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::NotFound, message)
    }

    /// 401 with a plain text.
    pub fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Unauthenticated, message)
    }

    /// 403 `PERMISSION_DENIED`.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::coded(ErrorCode::PermissionDenied, message)
    }

    /// Adds a key to a coded detail (turns a plain one into a coded one).
    #[must_use]
    pub fn with_extra(mut self, key: &str, value: impl Into<Value>) -> Self {
        if !matches!(self.detail, Detail::Coded(_)) {
            self.detail = Detail::Coded(Map::new());
        }
        if let Detail::Coded(extras) = &mut self.detail {
            extras.insert(key.to_owned(), value.into());
        }
        self
    }

    /// Says when a retry makes sense.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Keeps the internal cause for the log.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The internal causes from the outermost to the root, for one log line.
    pub fn chain(&self) -> String {
        let mut parts = Vec::new();
        let mut next = self.source.as_deref().map(|e| e as &dyn std::error::Error);
        while let Some(error) = next {
            parts.push(error.to_string());
            next = error.source();
        }
        parts.join(": ")
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|e| e as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_can_be_read_back() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_name(code.name()), Some(*code));
        }
    }

    #[test]
    fn internal_errors_keep_their_cause_out_of_the_message() {
        let error = Error::internal(std::io::Error::other("disk /dev/sda is on fire"));
        assert!(!error.to_string().contains("fire"));
        assert!(error.chain().contains("fire"));
    }
}
