//! Wallet addresses and their sealed keys.
