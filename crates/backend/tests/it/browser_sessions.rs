//! Tests of browser sessions.
