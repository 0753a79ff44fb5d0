//! Tests of invoke.
