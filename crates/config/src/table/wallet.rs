//! Wallets.

use super::{Kind, Section, SettingDoc};
use crate::Role;

pub(super) const SETTINGS: &[SettingDoc] = &[
    SettingDoc::new(
        "WALLET_PROVIDER",
        Section::Optional,
        Kind::Choice(&["none", "mock"]),
        "none",
        "Who keeps users' wallets: nobody, or a ledger of play money in the process for development. The mock is \
         refused in production.",
    )
    .only(&[Role::AllInOne, Role::Backend]),
    SettingDoc::new(
        "WALLET_DAILY_LIMIT_USD",
        Section::Optional,
        Kind::Integer { min: 1, max: 1_000_000 },
        "50",
        "What one user may spend from the wallet in 24 hours, in whole dollars.",
    )
    .only(&[Role::AllInOne, Role::Backend]),
];
