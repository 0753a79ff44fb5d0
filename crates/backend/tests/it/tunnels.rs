//! Tests of tunnels.
