//! The JSON of health and uptime.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use syfthub_domain::{Result, Timestamp};
use syfthub_store::endpoints::EndpointWithOwner;
use syfthub_store::standing::BreakerLine;
use syfthub_store::uptime::Bucket;
use syfthub_web::Fields;
use utoipa::ToSchema;

use crate::endpoints::input::domain_of;

/// A sign of life of an owner.
#[derive(Debug, Clone)]
pub(crate) struct Heartbeat {
    pub(crate) domain: String,
    pub(crate) ttl_seconds: Option<i64>,
}

/// Reads a heartbeat of `owner`.
pub(crate) fn heartbeat(body: Value, owner: &str) -> Result<Heartbeat> {
    let mut fields = Fields::body(body)?;
    let domain = fields.string("url").length(1, 500).parse(|url| domain_of(url, owner)).required();
    let ttl_seconds = fields.int("ttl_seconds").range(1, 3600).optional();
    let valid = fields.finish()?;
    Ok(Heartbeat { domain: domain.take(&valid), ttl_seconds })
}

/// The body of a heartbeat, for the API document.
#[derive(Debug, ToSchema)]
#[schema(as = HeartbeatRequest)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub(crate) struct HeartbeatBody {
    /// Where the caller's endpoints are served: `http://…`, `https://…` or `tunneling:` and the caller's name.
    #[schema(min_length = 8, max_length = 500, format = "uri", example = "https://node.example.org")]
    url: String,
    /// How many seconds this counts; 300 if it is left out, 1800 at most.
    #[schema(minimum = 1, maximum = 3600, example = 300)]
    ttl_seconds: Option<i64>,
}

/// The body of a health report, for the API document.
#[derive(Debug, ToSchema)]
#[schema(as = HealthReportRequest)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub(crate) struct ReportBody {
    /// How the caller's endpoints are. Slugs that the caller does not own are counted and ignored.
    #[schema(min_items = 1, max_items = 300)]
    endpoints: Vec<ReportedEndpoint>,
    /// How many seconds this counts; 300 if it is left out, 1800 at most.
    #[schema(minimum = 1, maximum = 3600, example = 300)]
    ttl_seconds: Option<i64>,
    /// Where the caller's endpoints are served: `http://…`, `https://…` or `tunneling:` and the caller's name.
    #[schema(min_length = 8, max_length = 500, format = "uri", example = "https://node.example.org")]
    url: Option<String>,
}

/// One endpoint of a health report.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub(crate) struct ReportedEndpoint {
    /// The endpoint's slug.
    #[schema(min_length = 3, max_length = 63, example = "my-notes")]
    slug: String,
    /// Whether it is well.
    #[schema(pattern = "^(healthy|unhealthy)$", example = "healthy")]
    status: String,
    /// When it was looked at; a time to come counts as now.
    #[schema(format = DateTime, example = "2026-01-02T03:04:05Z")]
    checked_at: String,
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct HeartbeatReceived {
    /// Always `ok`.
    #[schema(example = "ok")]
    pub(crate) status: &'static str,
    /// When the hub received it.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) received_at: Timestamp,
    /// Until when it counts.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) expires_at: Timestamp,
    /// Where the caller's endpoints are served from now on.
    pub(crate) domain: String,
    /// How many seconds it counts.
    pub(crate) ttl_seconds: i64,
}

/// How an endpoint was found over time.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Uptime {
    /// Row id of the endpoint.
    pub(crate) endpoint_id: i64,
    /// First half of `owner/slug`.
    pub(crate) owner_username: String,
    /// Second half.
    pub(crate) slug: String,
    /// Length of a bucket.
    pub(crate) bucket_seconds: u64,
    /// How far back the buckets go.
    pub(crate) window_hours: u32,
    /// What the chat services say of it, only while it keeps failing there; no part of its health.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) breaker: Option<UptimeBreaker>,
    /// Buckets in which the hub looked at it, oldest first.
    pub(crate) buckets: Vec<UptimeBucket>,
}

/// How the chat services stand to an endpoint that failed again and again.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct UptimeBreaker {
    /// `open` while it is left alone, `half_open` while one call tries it.
    #[schema(pattern = "^(open|half_open)$", example = "open")]
    pub(crate) state: &'static str,
    /// Most failures in a row that one of them has seen.
    pub(crate) failures: i64,
    /// How many of them say so.
    pub(crate) reporters: i64,
}

/// The looks at an endpoint within one stretch of time.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct UptimeBucket {
    /// When it begins.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) bucket_start: Timestamp,
    /// How often the hub looked.
    pub(crate) samples: i64,
    /// How often it was well.
    pub(crate) healthy_samples: i64,
    /// The share of that, in percent with two decimals.
    #[schema(example = 99.17)]
    pub(crate) uptime_pct: f64,
}

/// The answer about an endpoint.
pub(crate) fn uptime(
    item: &EndpointWithOwner,
    bucket: Duration,
    window_hours: u32,
    buckets: &[Bucket],
    breaker: Option<&BreakerLine>,
) -> Uptime {
    Uptime {
        endpoint_id: item.endpoint.id.0,
        owner_username: item.owner_username.as_str().to_owned(),
        slug: item.endpoint.slug.as_str().to_owned(),
        bucket_seconds: bucket.as_secs(),
        window_hours,
        breaker: breaker.map(|line| UptimeBreaker {
            state: if line.open > 0 { "open" } else { "half_open" },
            failures: line.failures,
            reporters: line.reporters,
        }),
        buckets: buckets.iter().map(shown).collect(),
    }
}

fn shown(bucket: &Bucket) -> UptimeBucket {
    let share = bucket.healthy_checks as f64 / bucket.total_checks.max(1) as f64;
    UptimeBucket {
        bucket_start: bucket.bucket_start,
        samples: bucket.total_checks,
        healthy_samples: bucket.healthy_checks,
        uptime_pct: (share * 10_000.0).round() / 100.0,
    }
}
