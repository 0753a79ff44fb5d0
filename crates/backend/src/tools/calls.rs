//! Calls of tools, kept as activity of the account.

use syfthub_domain::{Error, ErrorCode, Result, Timestamp};
use syfthub_proto::tools::{RecordCallsRequest, ToolCall, ToolOutcome};
use syfthub_store::activity::NewActivity;

use crate::audit::activity::Kind;
use crate::router::AppState;

/// Calls of one batch.
const MAX_CALLS: usize = 500;
/// Longest name of a tool or of what it was about, in characters.
const LONGEST: usize = 130;

/// Takes down a batch.
pub(super) fn record(state: &AppState, request: RecordCallsRequest) -> Result<()> {
    if request.calls.len() > MAX_CALLS {
        let text = format!("at most {MAX_CALLS} calls are taken in one batch");
        return Err(Error::new(ErrorCode::BadRequest, text));
    }
    for call in request.calls {
        let fact = fact(call)?;
        state.audit.note_fact(fact);
    }
    Ok(())
}

fn fact(call: ToolCall) -> Result<NewActivity> {
    let outcome = match call.outcome() {
        ToolOutcome::Success => "success",
        ToolOutcome::Failed => "failed",
        ToolOutcome::Refused => "refused",
        ToolOutcome::Cancelled => "cancelled",
        ToolOutcome::Unspecified => {
            return Err(Error::new(ErrorCode::BadRequest, "a call lacks its outcome"));
        }
    };
    let short = |text: &str| text.chars().take(LONGEST).collect::<String>();
    let about = if call.target.is_empty() { String::new() } else { format!(" {}", short(&call.target)) };
    Ok(NewActivity {
        at: Timestamp::from_micros(call.at_us),
        user_id: None,
        claimed: Some(call.username),
        kind: Kind::ToolCalled.as_str(),
        address: None,
        correlation_id: (!call.correlation_id.is_empty()).then_some(call.correlation_id),
        detail: Some(format!("{}{about} {outcome} {} ms", short(&call.tool), call.duration_ms)),
    })
}
