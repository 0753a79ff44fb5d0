//! Endpoint health and uptime.

use std::time::Duration;

use crate::HealthCheck;
use crate::reader::Reader;

const DAY: u64 = 24 * 60 * 60;

/// What our own nodes answer first, then what most servers have, then any answer at all.
pub(crate) const DEFAULT_PATHS: [&str; 3] = ["/api/v1/health", "/health", "/"];

/// Reads the settings of endpoint health.
pub(super) fn health_check(reader: &mut Reader) -> HealthCheck {
    let default_ttl = u64::from(reader.integer("HEALTH_DEFAULT_TTL_SECONDS", 300));
    let max_ttl = u64::from(reader.integer("HEALTH_MAX_TTL_SECONDS", 1800));
    if default_ttl > max_ttl {
        reader.problem("HEALTH_DEFAULT_TTL_SECONDS", "must not be greater than HEALTH_MAX_TTL_SECONDS");
    }
    let days = u64::from(reader.integer("UPTIME_RETENTION_DAYS", 90));
    HealthCheck {
        enabled: reader.flag("HEALTH_CHECK_ENABLED", true),
        interval: reader.seconds("HEALTH_CHECK_INTERVAL_SECONDS", 30),
        timeout: reader.seconds("HEALTH_CHECK_TIMEOUT_SECONDS", 5),
        max_concurrent: reader.integer("HEALTH_CHECK_MAX_CONCURRENT", 20),
        failure_threshold: reader.integer("HEALTH_CHECK_FAILURE_THRESHOLD", 3),
        paths: paths(reader),
        default_ttl: Duration::from_secs(default_ttl),
        max_ttl: Duration::from_secs(max_ttl),
        uptime_bucket: Duration::from_secs(u64::from(reader.integer("UPTIME_BUCKET_SECONDS", 1800))),
        uptime_retention: (days > 0).then(|| Duration::from_secs(days * DAY)),
    }
}

fn paths(reader: &mut Reader) -> Vec<String> {
    let default: Vec<String> = DEFAULT_PATHS.map(str::to_owned).to_vec();
    let parse = |text: &str| {
        let paths: Vec<String> = text.split(',').map(|path| path.trim().to_owned()).collect();
        let good = |path: &String| path.starts_with('/') && !path.contains([' ', '#', '\\']);
        paths.iter().all(good).then_some(paths)
    };
    reader.value("HEALTH_CHECK_PATHS", default, |_, text| parse(text), |paths| paths.join(","))
}

#[cfg(test)]
mod tests {
    use super::DEFAULT_PATHS;

    #[test]
    fn the_documented_default_is_the_real_one() {
        let documented = crate::table::find("HEALTH_CHECK_PATHS").map(|setting| setting.default);
        assert_eq!(documented, Some(DEFAULT_PATHS.join(",").as_str()));
    }
}
