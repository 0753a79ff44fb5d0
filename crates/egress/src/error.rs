//! What can go wrong with an outbound call.

use std::time::Duration;

use syfthub_domain::{Error as DomainError, ErrorCode};

/// Why a URL is not called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An address, or one of several, is not allowed in this mode.
    #[error("Access to internal or private IP addresses is not allowed")]
    Address,
    /// The hub's own internals listen on this port of a loopback or private address.
    #[error("Access to internal or private IP addresses is not allowed")]
    InternalPort,
    /// Neither `http` nor `https`.
    #[error("Only http and https addresses can be called")]
    Scheme,
    /// The URL carries a user name or a password.
    #[error("Addresses must not contain a user name or a password")]
    UserInfo,
    /// The URL names no host, or port 0.
    #[error("The address names no host and port that can be called")]
    Host,
}

/// Why an outbound call gave no usable answer. No text repeats the URL, which may hold secrets.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The guard said no. Nothing was sent.
    #[error("{reason}")]
    Refused {
        /// Why.
        reason: Refusal,
    },
    /// The URL or the request cannot be built.
    #[error("the request cannot be built: {0}")]
    Build(String),
    /// The host name has no address.
    #[error("the host name cannot be resolved")]
    Unresolvable,
    /// Connecting, waiting and reading took longer than allowed.
    #[error("no complete answer in time")]
    Timeout,
    /// No connection.
    #[error("no connection: {0}")]
    Connect(String),
    /// The server's certificate is not one to trust.
    #[error("the certificate is not good: {0}")]
    Certificate(&'static str),
    /// The connection broke or the answer is not HTTP.
    #[error("the exchange failed: {0}")]
    Exchange(String),
    /// The body is larger than allowed; the rest was not read.
    #[error("the answer is larger than {max} bytes")]
    TooLarge {
        /// The cap, in bytes after decompression.
        max: usize,
    },
    /// The status is not a success.
    #[error("the answer has status {0}")]
    Status(u16),
    /// The body is not what was expected.
    #[error("the answer is not valid {0}")]
    Invalid(&'static str),
    /// The client cannot be built at all.
    #[error("the outbound client cannot be set up: {0}")]
    Setup(String),
}

impl Error {
    /// Sorts a failure of the library underneath.
    pub(crate) fn from_reqwest(error: reqwest::Error) -> Self {
        if let Some(reason) = find::<Refusal>(&error) {
            return Self::Refused { reason: *reason };
        }
        if find::<Unresolvable>(&error).is_some() {
            return Self::Unresolvable;
        }
        if let Some(rustls::Error::InvalidCertificate(fault)) = find::<rustls::Error>(&error) {
            return Self::Certificate(certificate_fault(fault));
        }
        let error = error.without_url();
        if error.is_timeout() {
            Self::Timeout
        } else if error.is_builder() {
            Self::Build(chain(&error))
        } else if error.is_connect() {
            Self::Connect(chain(&error))
        } else {
            Self::Exchange(chain(&error))
        }
    }
}

/// What is wrong with a certificate, for its owner.
fn certificate_fault(fault: &rustls::CertificateError) -> &'static str {
    use rustls::CertificateError as Fault;
    match fault {
        Fault::Expired | Fault::ExpiredContext { .. } => "it has expired",
        Fault::NotValidYet | Fault::NotValidYetContext { .. } => "it is not valid yet",
        Fault::NotValidForName | Fault::NotValidForNameContext { .. } => "it is for another name",
        Fault::UnknownIssuer => "it was issued by nobody whom this machine trusts",
        Fault::Revoked => "it was revoked",
        _ => "it cannot be verified",
    }
}

/// The resolver found nothing.
#[derive(Debug, thiserror::Error)]
#[error("the host name cannot be resolved")]
pub(crate) struct Unresolvable;

fn find<'a, E: std::error::Error + 'static>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<E>() {
            return Some(found);
        }
        // An I/O error names the source of what it wraps, not what it wraps.
        let wrapped = current.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(found) = wrapped.and_then(|wrapped| find::<E>(wrapped)) {
            return Some(found);
        }
        next = current.source();
    }
    None
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(current) = next {
        text.push_str(": ");
        text.push_str(&current.to_string());
        next = current.source();
    }
    text
}

impl From<Error> for DomainError {
    fn from(error: Error) -> Self {
        let (code, message) = match &error {
            Error::Refused { reason } => (ErrorCode::EgressRefused, reason.to_string()),
            Error::Unresolvable => (ErrorCode::BadRequest, "Could not resolve the host name".to_owned()),
            Error::Build(_) => (ErrorCode::BadRequest, "The address cannot be called".to_owned()),
            Error::Timeout => (ErrorCode::UpstreamTimeout, "The endpoint did not answer in time".to_owned()),
            Error::Connect(_) => (ErrorCode::UpstreamFailed, "Could not connect to the endpoint".to_owned()),
            Error::Certificate(fault) => {
                (ErrorCode::UpstreamFailed, format!("The endpoint's certificate is not good: {fault}"))
            }
            Error::TooLarge { max } => {
                (ErrorCode::UpstreamFailed, format!("The endpoint's answer is larger than {max} bytes"))
            }
            Error::Status(status) => {
                (ErrorCode::UpstreamFailed, format!("The endpoint answered with status {status}"))
            }
            Error::Exchange(_) | Error::Invalid(_) => {
                (ErrorCode::UpstreamFailed, "The endpoint's answer could not be read".to_owned())
            }
            Error::Setup(_) => return Self::internal(error),
        };
        let retry = matches!(error, Error::Timeout | Error::Connect(_)).then_some(Duration::from_secs(5));
        let mapped = Self::new(code, message).with_source(error);
        match retry {
            Some(after) => mapped.with_retry_after(after),
            None => mapped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_a_403_with_the_published_text() {
        let error = DomainError::from(Error::Refused { reason: Refusal::Address });
        assert_eq!(error.code.http_status(), 403);
        assert_eq!(error.message, "Access to internal or private IP addresses is not allowed");
    }

    #[test]
    fn failures_of_the_other_side_are_gateway_errors() {
        let status = |error: Error| DomainError::from(error).code.http_status();
        assert_eq!(status(Error::Timeout), 504);
        assert_eq!(status(Error::Connect(String::new())), 502);
        assert_eq!(status(Error::TooLarge { max: 1 }), 502);
        assert_eq!(status(Error::Status(500)), 502);
        assert_eq!(status(Error::Unresolvable), 400);
        assert_eq!(status(Error::Setup(String::new())), 500);
    }
}
