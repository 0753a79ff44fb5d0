//! A user's own aggregators.
