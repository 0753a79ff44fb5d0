//! The error of the product to a gRPC status and back. The whole error travels in a binary trailer, so
//! that a 404 in one service is a 404 at the edge of another.

use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use serde_json::{Map, Value};
use syfthub_domain::field::known_kind;
use syfthub_domain::{Detail, Error, ErrorCode, FieldError, Loc};
use syfthub_proto::common::ErrorInfo;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};

use crate::faults;

/// Trailer with an encoded `common.v1.ErrorInfo`.
pub const ERROR_KEY: &str = "syfthub-error-bin";

/// HTTP/2 header blocks are small, so what is told about an error is bounded.
const MAX_MESSAGE_CHARS: usize = 1000;
const MAX_EXTRAS_BYTES: usize = 4096;

/// Turns an error into a status. A 5xx is logged here with its causes, because they do not travel.
pub fn to_status(error: &Error) -> Status {
    if error.code.http_status() >= 500 && error.source.is_some() {
        tracing::error!(code = error.code.name(), chain = error.chain(), "rpc.call.failed");
    }
    faults::tell(error);
    let message: String = error.message.chars().take(MAX_MESSAGE_CHARS).collect();
    let info = ErrorInfo {
        code: error.code.name().to_owned(),
        message: message.clone(),
        extras_json: extras(&error.detail),
        retry_after_seconds: error.retry_after.map_or(0, whole_seconds),
    };
    let mut metadata = MetadataMap::new();
    metadata.insert_bin(ERROR_KEY, MetadataValue::from_bytes(&info.encode_to_vec()));
    let code = Code::from_i32(error.code.grpc_code() as i32);
    Status::with_details_and_metadata(code, message, Bytes::new(), metadata)
}

/// Turns a status back into the error that caused it. A status without our trailer (a transport
/// failure, a foreign server) is mapped by its gRPC code.
pub fn from_status(status: &Status) -> Error {
    let info = status
        .metadata()
        .get_bin(ERROR_KEY)
        .and_then(|value| value.to_bytes().ok())
        .and_then(|bytes| ErrorInfo::decode(bytes).ok());
    let Some(info) = info else { return foreign(status) };
    let Some(code) = ErrorCode::from_name(&info.code) else { return foreign(status) };
    let mut error = Error::new(code, info.message);
    error.detail = detail(&info.extras_json);
    if info.retry_after_seconds > 0 {
        error.retry_after = Some(Duration::from_secs(u64::from(info.retry_after_seconds)));
    }
    if code.http_status() >= 500 {
        error.source = Some(status.message().into());
    }
    error
}

/// A code that we did not set ourselves. What the other side says is not for clients, except where it
/// is an ordinary refusal.
fn foreign(status: &Status) -> Error {
    let source = format!("grpc {:?}: {}", status.code(), status.message());
    let told = |code| Error::new(code, status.message());
    match status.code() {
        Code::NotFound => told(ErrorCode::NotFound),
        Code::InvalidArgument => told(ErrorCode::BadRequest),
        Code::Unauthenticated => told(ErrorCode::Unauthenticated),
        Code::PermissionDenied => told(ErrorCode::PermissionDenied),
        Code::AlreadyExists => told(ErrorCode::Conflict),
        Code::Cancelled => told(ErrorCode::Cancelled),
        Code::DeadlineExceeded => {
            Error::new(ErrorCode::UpstreamTimeout, "A part of the hub did not answer in time; try again")
                .with_source(source)
        }
        Code::Unavailable | Code::ResourceExhausted => {
            Error::new(ErrorCode::Unavailable, "A part of the hub cannot be reached; try again shortly")
                .with_source(source)
        }
        _ => Error::internal(source),
    }
}

fn whole_seconds(after: Duration) -> u32 {
    let rounded_up = after.as_secs() + u64::from(after.subsec_nanos() > 0);
    u32::try_from(rounded_up).unwrap_or(u32::MAX)
}

/// An object for a coded detail, an array for field errors, nothing for a plain text.
fn extras(detail: &Detail) -> String {
    let json = match detail {
        Detail::Text => return String::new(),
        Detail::Coded(extras) => Value::Object(extras.clone()).to_string(),
        Detail::Fields(fields) => return leading(fields),
    };
    if json.len() <= MAX_EXTRAS_BYTES { json } else { "{}".to_owned() }
}

/// The first failing fields, as many as fit. One whose refused value is too long goes without the value.
fn leading(fields: &[FieldError]) -> String {
    let mut json = String::from("[");
    for field in fields {
        let short = || serde_json::to_string(&FieldError { input: None, ..field.clone() });
        let fits = |text: &String| json.len() + text.len() + ",]".len() <= MAX_EXTRAS_BYTES;
        let text = serde_json::to_string(field).ok().filter(fits).or_else(|| short().ok().filter(fits));
        let Some(text) = text else { break };
        if json.len() > 1 {
            json.push(',');
        }
        json.push_str(&text);
    }
    json.push(']');
    json
}

fn detail(extras_json: &str) -> Detail {
    match serde_json::from_str(extras_json) {
        Ok(Value::Object(extras)) => Detail::Coded(extras),
        Ok(Value::Array(fields)) => {
            Detail::Fields(fields.into_iter().filter_map(|field| field_error(&field)).collect())
        }
        _ => Detail::Text,
    }
}

fn field_error(value: &Value) -> Option<FieldError> {
    let object: &Map<String, Value> = value.as_object()?;
    let kind = known_kind(object.get("type")?.as_str()?);
    let loc = object.get("loc")?.as_array()?.iter().filter_map(loc_step).collect();
    let mut error = FieldError::new(kind, loc, object.get("msg")?.as_str()?);
    error.input = object.get("input").cloned();
    Some(error)
}

fn loc_step(value: &Value) -> Option<Loc> {
    match value {
        Value::String(key) => Some(Loc::Key(key.clone())),
        other => other.as_u64().and_then(|index| usize::try_from(index).ok()).map(Loc::Index),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(error: &Error) -> Error {
        from_status(&to_status(error))
    }

    #[test]
    fn every_code_survives_the_hop() {
        for code in ErrorCode::ALL {
            let back = there_and_back(&Error::new(*code, "text"));
            assert_eq!((back.code, back.message.as_str()), (*code, "text"));
            assert_eq!(back.detail, Detail::Text);
        }
    }

    #[test]
    fn extras_retry_after_and_fields_survive_the_hop() {
        let coded = Error::coded(ErrorCode::Conflict, "taken")
            .with_extra("field", "username")
            .with_retry_after(Duration::from_millis(1500));
        let back = there_and_back(&coded);
        assert_eq!(back.detail, coded.detail);
        assert_eq!(back.retry_after, Some(Duration::from_secs(2)));

        let fields =
            Error::fields(vec![FieldError::new("missing", vec!["body".into(), 3.into()], "Field required")]);
        assert_eq!(there_and_back(&fields).detail, fields.detail);
    }

    #[test]
    fn every_kind_of_failure_survives_the_hop() {
        for kind in syfthub_domain::field::KINDS {
            let error = Error::fields(vec![FieldError::new(kind, vec!["body".into()], "text")]);
            assert_eq!(there_and_back(&error).detail, error.detail, "{kind}");
        }
    }

    #[test]
    fn of_many_failing_fields_the_first_ones_survive() {
        let field = |number: usize| {
            FieldError::new("missing", vec!["body".into(), number.into()], "Field required")
                .with_input("x".repeat(200).into())
        };
        let all: Vec<FieldError> = (0..500).map(field).collect();
        let Detail::Fields(kept) = there_and_back(&Error::fields(all.clone())).detail else { panic!() };
        assert!(kept.len() > 10, "{}", kept.len());
        let place = |field: &FieldError| field.loc.clone();
        assert!(kept.iter().map(place).eq(all.iter().take(kept.len()).map(place)));
        assert_eq!(kept[0], all[0]);
        let huge = field(0).with_input("x".repeat(9000).into());
        let Detail::Fields(kept) = there_and_back(&Error::fields(vec![huge])).detail else { panic!() };
        assert_eq!((kept.len(), &kept[0].input), (1, &None));
    }

    #[test]
    fn causes_stay_at_home_and_long_texts_are_cut() {
        let status = to_status(&Error::internal("password is hunter2"));
        assert!(!format!("{status:?}").contains("hunter2"));
        let long = there_and_back(&Error::new(ErrorCode::BadRequest, "é".repeat(5000)));
        assert_eq!(long.message.chars().count(), MAX_MESSAGE_CHARS);
    }

    #[test]
    fn a_foreign_failure_is_told_without_its_internals() {
        let error = from_status(&Status::unavailable("tcp connect error 10.0.0.3:9000"));
        assert_eq!(error.code, ErrorCode::Unavailable);
        assert!(!error.message.contains("10.0.0.3"));
        assert!(error.chain().contains("10.0.0.3"));
        assert_eq!(from_status(&Status::unknown("?")).code, ErrorCode::Internal);
    }
}
