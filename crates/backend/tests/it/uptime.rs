//! Tests of uptime.
