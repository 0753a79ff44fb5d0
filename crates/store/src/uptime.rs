//! Uptime samples of endpoints.
