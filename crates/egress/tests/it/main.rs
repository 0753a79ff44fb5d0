//! The clients against servers on loopback that behave badly.
#![expect(clippy::unwrap_used, reason = "a failing test should panic")]

mod bodies;
mod guard;
mod server;

use std::time::Duration;

use syfthub_config::{Egress, EgressAllow};
use syfthub_egress::{Client, Limits};

/// Short times, so that a test of a time-out is quick, and a small cap.
const LIMITS: Limits =
    Limits { connect: Duration::from_secs(2), total: Duration::from_millis(400), max_body: 64 * 1024 };

fn guarded(allow: EgressAllow, internal_ports: &[u16]) -> Client {
    // Most tests do not measure time and must survive a busy machine.
    let limits = Limits { total: Duration::from_secs(30), ..LIMITS };
    Client::guarded(&Egress { allow, internal_ports: internal_ports.to_vec() }, limits).unwrap()
}
