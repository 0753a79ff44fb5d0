//! Contract of `store::error_logs`.
