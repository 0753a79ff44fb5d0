//! Tests of aggregators.
