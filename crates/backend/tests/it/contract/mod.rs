//! The contract that published clients rely on, over HTTP, on both databases. One file for each part.

/// One test body, run on SQLite and on PostgreSQL.
macro_rules! on_both {
    ($(async fn $name:ident($app:ident: TestApp) $body:block)+) => {
        $(mod $name {
            use super::*;

            async fn check($app: TestApp) $body

            #[tokio::test]
            async fn on_sqlite() {
                check(TestApp::start_with(crate::contract::unlimited).await).await;
            }

            #[tokio::test]
            async fn on_postgres() {
                let url = syfthub_testing::postgres::shared().await.fresh_database().await;
                let app = TestApp::start_with(|settings| {
                    crate::contract::unlimited(settings);
                    settings.database = syfthub_testing::postgres_settings(&url);
                });
                check(app.await).await;
            }
        })+
    };
}

mod accounts;
mod endpoints;
mod races;
mod tokens;

/// Tests ask more often than people may.
fn unlimited(settings: &mut syfthub_config::Settings) {
    settings.rate_limits.enabled = false;
}
