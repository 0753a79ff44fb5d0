//! Contract of `store::uptime`.
