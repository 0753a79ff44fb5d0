//! Contract of `store::feedback`.
