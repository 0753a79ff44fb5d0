//! Tests of wallet.
