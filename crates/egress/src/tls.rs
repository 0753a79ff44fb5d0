//! The TLS back end of the process.

use std::sync::Once;

static INSTALL: Once = Once::new();

/// Installs aws-lc-rs as the TLS back end of the process, once. Every client does it; a program calls
/// it first thing so that no other library installs one before. Idempotent.
pub fn install_tls() {
    INSTALL.call_once(|| {
        if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
            tracing::debug!("a tls back end was installed before");
        }
    });
}
