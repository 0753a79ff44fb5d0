//! Tests of sign in.
