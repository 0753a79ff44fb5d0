//! The contract of the store: every public function, on SQLite and on PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a failing test should panic")]

mod access_tokens;
mod activity;
mod aggregators;
mod audit;
mod collectives;
mod connection;
mod conversations;
mod endpoints;
mod error_logs;
mod errors;
mod feedback;
mod fixture;
mod identities;
mod invitations;
mod keys;
mod listings;
mod migrations;
mod oauth;
mod one_time_codes;
mod outbox;
mod presets;
mod refresh;
mod schema;
mod search;
mod sessions;
mod settings;
mod standing;
mod statistics;
mod subscriptions;
mod uptime;
mod usage;
mod users;
mod wallets;

/// Makes two tests of each case, one per database. A case gets a migrated, empty database.
macro_rules! contract {
    ($(async fn $name:ident($db:ident: Db) $body:block)+) => {
        $(mod $name {
            use super::*;

            async fn case($db: syfthub_store::Db) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                let test = crate::fixture::TestDb::sqlite().await;
                case(test.db.clone()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                let test = crate::fixture::TestDb::postgres().await;
                case(test.db.clone()).await;
            }
        })+
    };
}

pub(crate) use contract;
