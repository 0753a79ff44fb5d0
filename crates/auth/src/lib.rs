//! Tokens, keys, passwords, and who may do what.
