//! Tests of user admin.
