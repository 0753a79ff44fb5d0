//! Tests of session list.
