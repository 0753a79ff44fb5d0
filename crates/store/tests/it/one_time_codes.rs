//! Contract of `store::one_time_codes`.
