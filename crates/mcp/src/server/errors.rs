//! Errors of the hub in the shape of the protocol.

use rmcp::ErrorData;
use rmcp::model::ErrorCode as Code;
use syfthub_domain::{Detail, Error, ErrorCode, Loc};

/// JSON-RPC's range for errors that an implementation defines, as the gate in front uses it.
pub(super) const TOO_MANY: Code = Code(-32003);
/// The same, for a credential that does not allow what was asked.
pub(super) const INSUFFICIENT_SCOPE: Code = Code(-32004);

/// An error of a method. What went wrong inside is not for clients.
pub(super) fn of(error: &Error) -> ErrorData {
    match error.code {
        code if code.http_status() < 500 && !matches!(error.detail, Detail::Fields(_)) => {
            ErrorData::invalid_params(error.message.clone(), None)
        }
        ErrorCode::ValidationError => invalid(error),
        _ => {
            tracing::error!(code = error.code.name(), chain = error.chain(), "mcp.method.failed");
            ErrorData::internal_error("The hub cannot answer right now; try again shortly", None)
        }
    }
}

/// Wrong arguments are an error of the protocol (-32602) that names every failing one.
pub(super) fn invalid(error: &Error) -> ErrorData {
    let Detail::Fields(fields) = &error.detail else {
        return ErrorData::invalid_params(error.message.clone(), None);
    };
    let told: Vec<String> = fields
        .iter()
        .map(|field| {
            let path: Vec<String> = field.loc.iter().skip(1).map(step).collect();
            format!("{}: {}", path.join("."), field.msg)
        })
        .collect();
    ErrorData::invalid_params(told.join("; "), None)
}

fn step(loc: &Loc) -> String {
    match loc {
        Loc::Key(key) => key.clone(),
        Loc::Index(index) => index.to_string(),
    }
}
