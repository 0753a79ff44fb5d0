//! Contract of `store::sessions`.
