//! Contract of `store::identities`.
