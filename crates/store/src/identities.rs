//! Accounts of other providers that belong to a user.
