//! The keys of the authorization server, as operators rotate and pin them.

use std::time::Duration;

use http::StatusCode;
use syfthub_auth::keys::SigningKey;
use syfthub_auth::{MasterKey, SealedBox, oauth_keys};
use syfthub_backend::KeyInfo;
use syfthub_backend::operator::Ring;
use syfthub_domain::Clock as _;
use syfthub_proto::oauth::{AddFirstSigningKeyRequest, ListSigningKeysRequest, SigningKey as WireKey};

use super::credentials::{KEY, ME, api, claims, publish_key, token};
use super::{Client, client, granted};
use crate::actor::TestApp;

async fn listed(server: &mut Client) -> Vec<WireKey> {
    server.list_signing_keys(ListSigningKeysRequest {}).await.unwrap().into_inner().keys
}

fn states(keys: &[KeyInfo]) -> Vec<&str> {
    keys.iter().map(|key| key.state.as_str()).collect()
}

#[tokio::test]
async fn a_new_key_is_published_before_it_signs_and_opens_for_the_mcp_service_only() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let mut server = client(&app);
    assert!(app.app.ring_keys(Ring::Mcp).await.unwrap().is_empty(), "none was needed yet");
    publish_key(&mut server).await;
    let resource = api(&app);
    let grant = granted(&mut server, "bob", "a", |consent| consent.resource = resource).await;
    let old = token(&claims(&app, &grant, bob.id));
    let satellite = app.app.list_keys().await.unwrap();
    app.clock.advance(Duration::from_secs(1));
    let keys = app.app.rotate_ring(Ring::Mcp, false).await.unwrap();
    assert_eq!(states(&keys), ["next", "active"]);
    assert_eq!(app.app.list_keys().await.unwrap(), satellite, "the other ring is left alone");
    let rows = listed(&mut server).await;
    assert_eq!(rows[0].activated_at, app.clock.now().as_secs() + 3600);
    let sealed = SealedBox::new(&MasterKey::new(&app.settings.secrets.secret_key), None, oauth_keys::LABEL);
    let opened = sealed.open(&rows[0].private_sealed, &oauth_keys::place(&rows[0].kid)).unwrap();
    assert_eq!(SigningKey::from_pkcs8_der(&opened).unwrap().kid(), rows[0].kid);

    assert!(app.app.rotate_ring(Ring::Mcp, false).await.is_err(), "one is waiting");
    let keys = app.app.rotate_ring(Ring::Mcp, true).await.unwrap();
    assert_eq!(states(&keys), ["active", "retired"]);
    app.with_token(&old).get(ME).await.expect(StatusCode::OK);
    assert!(app.app.retire_in(Ring::Mcp, &keys[0].kid, true).await.is_err(), "it signs");
    assert!(app.app.retire_in(Ring::Mcp, KEY.kid(), false).await.is_err(), "its tokens are in use");
    app.app.retire_in(Ring::Mcp, KEY.kid(), true).await.unwrap();
    app.with_token(&old).get(ME).await.refused(401);
    assert_eq!(listed(&mut server).await.len(), 1);
}

#[tokio::test]
async fn a_pinned_key_takes_the_place_of_the_others_and_gives_it_back() {
    let app = TestApp::start().await;
    let mut server = client(&app);
    publish_key(&mut server).await;
    let (pinned, made) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let add = |key: &SigningKey, sealed: &[u8]| AddFirstSigningKeyRequest {
        key: Some(WireKey {
            kid: key.kid().to_owned(),
            private_sealed: sealed.to_vec(),
            public_pem: key.public().to_pem().unwrap(),
            ..WireKey::default()
        }),
    };
    let state = async |kid: &str| {
        let keys = app.app.ring_keys(Ring::Mcp).await.unwrap();
        keys.into_iter().find(|key| key.kid == kid).map(|key| key.state)
    };
    for _ in 0..2 {
        app.clock.advance(Duration::from_secs(1));
        server.add_first_signing_key(add(&pinned, &[])).await.unwrap();
        assert_eq!(state(pinned.kid()).await.as_deref(), Some("pinned"));
        assert_eq!(state(KEY.kid()).await.as_deref(), Some("retired"), "its tokens are good to their end");
    }
    let refused = app.app.rotate_ring(Ring::Mcp, true).await.unwrap_err();
    assert!(refused.message.contains("MCP_RSA_PRIVATE_KEY_PEM"), "{}", refused.message);
    app.clock.advance(Duration::from_secs(1));
    server.add_first_signing_key(add(&made, &[1])).await.unwrap();
    assert_eq!(state(made.kid()).await.as_deref(), Some("active"));
    assert_eq!(state(pinned.kid()).await.as_deref(), Some("retired"));
    app.clock.advance(Duration::from_secs(1));
    server.add_first_signing_key(add(&pinned, &[])).await.unwrap();
    assert_eq!(state(pinned.kid()).await.as_deref(), Some("pinned"), "back again");
}
