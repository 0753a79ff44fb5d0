//! Tests of google.
