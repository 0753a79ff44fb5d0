//! High-rate facts, written in batches: what was used, refreshed and called.
