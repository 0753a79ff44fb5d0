//! Prepaid subscriptions that a wallet knows.
