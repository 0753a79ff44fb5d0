//! Contract of `store::wallets`.
