//! Contract of `store::outbox`.
