//! One-time codes, kept as keyed hashes.
