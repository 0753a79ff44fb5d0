//! Tests of hub settings.
