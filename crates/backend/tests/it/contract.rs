//! Tests of contract.
