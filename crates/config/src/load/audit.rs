//! The audit log and activity.

use std::time::Duration;

use crate::Audit;
use crate::reader::Reader;

const DAY: u64 = 24 * 60 * 60;

/// Reads how long both are kept.
pub(super) fn audit(reader: &mut Reader) -> Audit {
    let days = u64::from(reader.integer("AUDIT_RETENTION_DAYS", 365));
    let activity = u64::from(reader.integer("ACTIVITY_RETENTION_DAYS", 90));
    Audit {
        retention: (days > 0).then(|| Duration::from_secs(days * DAY)),
        activity_retention: Duration::from_secs(activity * DAY),
    }
}
