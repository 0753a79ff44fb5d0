//! The contract that published clients rely on, over HTTP, on both databases. One file for each part.

/// One test body, run on SQLite and on PostgreSQL; `settings some_function;` first for settings of its own.
macro_rules! on_both {
    ($(async fn $name:ident($app:ident: TestApp) $body:block)+) => {
        on_both! { settings crate::contract::as_usual; $(async fn $name($app: TestApp) $body)+ }
    };
    (settings $change:path; $(async fn $name:ident($app:ident: TestApp) $body:block)+) => {
        $(mod $name {
            use super::*;

            async fn check($app: TestApp) $body

            #[tokio::test]
            async fn on_sqlite() {
                let app = TestApp::start_with(|settings| {
                    crate::contract::unlimited(settings);
                    $change(settings);
                });
                Box::pin(check(app.await)).await;
            }

            #[tokio::test]
            async fn on_postgres() {
                let url = syfthub_testing::postgres::shared().await.fresh_database().await;
                let app = TestApp::start_with(|settings| {
                    crate::contract::unlimited(settings);
                    settings.database = syfthub_testing::postgres_settings(&url);
                    $change(settings);
                });
                Box::pin(check(app.await)).await;
            }
        })+
    };
}

mod accounts;
mod aggregators;
mod collectives;
mod endpoints;
mod invoke;
mod mail;
mod operations;
mod races;
mod tokens;
mod users;

fn as_usual(_: &mut syfthub_config::Settings) {}

/// Tests ask more often than people may.
fn unlimited(settings: &mut syfthub_config::Settings) {
    settings.rate_limits.enabled = false;
}
