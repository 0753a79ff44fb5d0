//! Contract of `store::audit`.
