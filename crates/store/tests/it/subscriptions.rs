//! Contract of `store::subscriptions`.
