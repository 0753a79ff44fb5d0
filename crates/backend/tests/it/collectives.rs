//! Tests of collectives.
