//! Wallets.

use crate::reader::Reader;
use crate::{Environment, Wallet, WalletProvider};

/// Reads the settings.
pub(super) fn wallet(reader: &mut Reader, environment: Environment) -> Wallet {
    let provider = match reader.choice("WALLET_PROVIDER", "none") {
        "mock" => WalletProvider::Mock,
        _ => WalletProvider::None,
    };
    if provider == WalletProvider::Mock && environment == Environment::Production {
        reader.problem(
            "WALLET_PROVIDER",
            "mock keeps play money and is for development; use none in production",
        );
    }
    Wallet { provider, daily_limit_usd: reader.integer("WALLET_DAILY_LIMIT_USD", 50) }
}
