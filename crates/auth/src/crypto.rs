//! The cryptographic back end behind `jsonwebtoken`, and randomness.

use std::sync::Once;

use syfthub_domain::{Error, Result};

static INSTALL: Once = Once::new();

/// Pins aws-lc-rs as the back end of JWT verification. Idempotent; every constructor of this crate
/// calls it, so a caller needs it only to be explicit at start.
///
/// Without the pin, any dependency that turns on a second back end would make the first token
/// operation panic.
pub fn install_crypto() {
    INSTALL.call_once(|| {
        if jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default().is_err() {
            tracing::debug!("a jwt back end was installed before");
        }
    });
}

/// Fills an array from the operating system's generator.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0_u8; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::internal("no randomness available"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_provider_can_be_installed_any_number_of_times() {
        super::install_crypto();
        super::install_crypto();
    }

    #[test]
    fn random_arrays_differ() {
        assert_ne!(super::random::<16>().unwrap(), super::random::<16>().unwrap());
    }
}
