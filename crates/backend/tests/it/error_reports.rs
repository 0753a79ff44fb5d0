//! Tests of error reports.
