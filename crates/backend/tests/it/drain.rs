//! Stopping while calls are under way.

use std::time::Duration;

use syfthub_proto::identity::VerifyCredentialRequest;
use syfthub_rpc::{Caller, InternalKey, stubs};
use syfthub_web::health::Readiness;
use syfthub_web::serve::Shutdown;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

use crate::actor::TestApp;

#[tokio::test]
async fn a_call_that_hangs_does_not_hold_up_the_stop() {
    let app = TestApp::start_with(|settings| {
        settings.http.shutdown_grace = Duration::from_millis(50);
        settings.database.pool_timeout = Duration::from_mins(1);
    });
    let (app, _, bob) = app.await.with_user("bob").await;
    let token = bob.pat(&["read"]).await.token.unwrap();
    let (http, grpc) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let url = format!("http://{}", grpc.local_addr().unwrap());
    let key = || InternalKey::new([7; 32]);
    let shutdown = Shutdown::new(Readiness::new());
    let run = app.app.clone().run(http, grpc, key(), shutdown.clone());

    // The first use of a token is written down, and nobody can write while this is open.
    let writer = app.db.begin().await.unwrap();
    let mut identity = stubs::identity_client(syfthub_rpc::connect(&url, Caller::Mcp, &key()).unwrap());
    let mut call = Box::pin(identity.verify_credential(VerifyCredentialRequest { credential: token }));
    let stop = async {
        assert!(timeout(Duration::from_millis(300), &mut call).await.is_err(), "it waits for the writer");
        shutdown.trigger();
        Instant::now()
    };
    let (ended, asked) = tokio::join!(run, stop);
    ended.unwrap();
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
    drop((call, writer));
}
