//! `usage.v1`: what the aggregator reports.

use syfthub_domain::{Error, ErrorCode, Result, Timestamp, UserId};
use syfthub_proto::usage::usage_service_server::UsageService;
use syfthub_proto::usage::{Entry, Outcome, Part, RecordRequest, RecordResponse};
use syfthub_rpc::require;
use syfthub_store::usage::Amount;
use tonic::{Request, Response, Status};

use super::record::{Report, bounded};
use crate::identity::grpc::answer;
use crate::identity::{Method, callers};
use crate::router::AppState;

/// Serves `usage.v1`.
#[derive(Debug, Clone)]
pub(crate) struct UsageGrpc(pub(crate) AppState);

#[tonic::async_trait]
impl UsageService for UsageGrpc {
    async fn record(
        &self,
        request: Request<RecordRequest>,
    ) -> std::result::Result<Response<RecordResponse>, Status> {
        require(&request, callers(Method::RecordUsage))?;
        answer(self.add(request.into_inner()).await)
    }
}

impl UsageGrpc {
    async fn add(&self, request: RecordRequest) -> Result<RecordResponse> {
        let reports = request.entries.into_iter().map(report).collect::<Result<_>>()?;
        let recorded = self.0.usage.record(&request.batch_id, reports).await?;
        let counted = u32::try_from(recorded.counted).unwrap_or(u32::MAX);
        Ok(RecordResponse { counted, repeated: recorded.repeated })
    }
}

fn report(entry: Entry) -> Result<Report> {
    let unknown = || Error::new(ErrorCode::BadRequest, "an entry lacks its part or its outcome");
    let part = match entry.part() {
        Part::Model => "model",
        Part::Source => "source",
        Part::Unspecified => return Err(unknown()),
    };
    let outcome = match entry.outcome() {
        Outcome::Success => "success",
        Outcome::Error => "error",
        Outcome::Timeout => "timeout",
        Outcome::PaymentFailed => "payment_failed",
        Outcome::AccessDenied => "access_denied",
        Outcome::RateLimited => "rate_limited",
        Outcome::PolicyViolation => "policy_violation",
        Outcome::Cancelled => "cancelled",
        Outcome::Unspecified => return Err(unknown()),
    };
    Ok(Report {
        at: Timestamp::from_micros(entry.at_us),
        part,
        outcome,
        caller: (entry.user_id > 0).then_some(UserId(entry.user_id)),
        amount: Amount {
            requests: i64::from(entry.requests),
            prompt_tokens: bounded(entry.prompt_tokens),
            completion_tokens: bounded(entry.completion_tokens),
            documents: bounded(entry.documents),
            latency_ms: bounded(entry.latency_ms),
            longest_ms: bounded(entry.longest_ms),
        },
        path: entry.path,
        url: entry.url,
    })
}
