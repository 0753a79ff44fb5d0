//! Contract of `store::aggregators`.
