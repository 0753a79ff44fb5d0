//! Collectives, their members and shared endpoints.
