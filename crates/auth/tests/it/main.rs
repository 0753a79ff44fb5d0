//! Keys and the tokens signed with them, through the public interface.
#![expect(clippy::unwrap_used, reason = "a failing test should panic")]

mod at_jwt;
mod keys;
mod satellite;

use std::sync::{Arc, OnceLock};

use syfthub_auth::keys::SigningKey;

/// One generated key for the whole binary: making one takes up to seconds without optimisation.
fn key() -> Arc<SigningKey> {
    static KEY: OnceLock<Arc<SigningKey>> = OnceLock::new();
    Arc::clone(KEY.get_or_init(|| Arc::new(SigningKey::generate().unwrap())))
}
