//! Contract of `store::activity`.
