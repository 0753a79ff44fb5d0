//! Tests of feedback.
