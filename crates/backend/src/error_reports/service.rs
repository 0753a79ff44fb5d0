//! Faults that services of ours tell about: this one, and by `ops.v1` the others.

use std::sync::Arc;

use serde_json::json;
use syfthub_domain::fault::{FAILED, FORESEEN, FaultReport, FaultSink, UNHANDLED};
use syfthub_domain::{Error, ErrorCode, Result, Timestamp, UserId};
use syfthub_logging::redact::redact_query;
use syfthub_proto::ops::{ErrorReport, ReportErrorsRequest};
use syfthub_rpc::Caller;
use syfthub_store::error_logs::NewErrorLog;

use super::ErrorReports;
use super::input::{self, clipped};
use super::recorder::Teller;
use crate::App;

/// Reports of one call.
const MAX_REPORTS: usize = 100;

impl ErrorReports {
    /// Takes a report of a service.
    pub(super) fn take(&self, service: &str, report: FaultReport, user_id: Option<UserId>) {
        // Everybody can ask for what is not configured, as often as they like.
        let teller = if report.event == UNHANDLED { Teller::Hub } else { Teller::Outside };
        self.record(teller, row(service, report, user_id));
    }

    /// Takes what another service of ours reports.
    pub(crate) fn take_all(&self, caller: Caller, request: ReportErrorsRequest) -> Result<()> {
        if request.reports.len() > MAX_REPORTS {
            let text = format!("at most {MAX_REPORTS} reports are taken in one call");
            return Err(Error::new(ErrorCode::BadRequest, text));
        }
        let now = self.clock.now();
        for report in request.reports {
            let at = input::believed(Timestamp::from_micros(report.occurred_at_us), now);
            let report = from_wire(report);
            let teller = if report.event == UNHANDLED { Teller::Hub } else { Teller::Outside };
            let row = row(caller.as_str(), report, None);
            self.record(teller, NewErrorLog { timestamp: Some(at), ..row });
        }
        Ok(())
    }
}

impl App {
    /// Takes faults of the gRPC services; those of the HTTP routes are seen there.
    pub fn faults(&self) -> FaultSink {
        let reports = Arc::clone(&self.state.error_reports);
        FaultSink::new(move |report| reports.take("backend", report, None))
    }
}

fn from_wire(report: ErrorReport) -> FaultReport {
    let event = [UNHANDLED, FORESEEN].into_iter().find(|event| *event == report.event).unwrap_or(FAILED);
    FaultReport {
        correlation_id: input::correlation_of(Some(&report.correlation_id)),
        event,
        message: report.message,
        code: report.code.as_deref().and_then(ErrorCode::from_name),
        chain: report.chain,
        method: report.method,
        path: report.path,
        query: report.query.as_deref().map(redact_query),
        status: u16::try_from(report.status).unwrap_or_default(),
    }
}

fn row(service: &str, report: FaultReport, user_id: Option<UserId>) -> NewErrorLog {
    let query = report.query.map(|query| clipped(&query, input::LINE));
    NewErrorLog {
        correlation_id: report.correlation_id,
        service: service.to_owned(),
        level: "ERROR".to_owned(),
        event: report.event.to_owned(),
        message: report.message.map(|text| clipped(&text, input::TEXT)),
        user_id,
        endpoint: Some(clipped(&report.path, 255)),
        method: Some(clipped(&report.method, 10)),
        error_code: report.code.map(|code| code.name().to_owned()),
        stack_trace: (!report.chain.is_empty()).then(|| clipped(&report.chain, input::TEXT)),
        context: Some(json!({"status": report.status, "query": query})),
        ..NewErrorLog::default()
    }
}
