//! Tests of accounting.
