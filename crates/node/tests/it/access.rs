//! Who is let in.

use serde_json::json;
use syfthub_auth::keys::SigningKey;
use syfthub_auth::satellite::{Claims, mint};

use crate::fake_hub::FakeHub;
use crate::world::World;

async fn status(world: &World, token: Option<&str>) -> (u16, String) {
    let (status, answer) = world.ask_as(token, "my-notes", &json!({"messages": "penguins"})).await;
    (status, answer["detail"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_public_endpoint_lets_guests_and_users_in_but_nobody_without_a_token() {
    let world = World::start().await;
    assert_eq!(status(&world, Some(&world.hub.token("guest"))).await.0, 200);
    assert_eq!(status(&world, Some(&world.hub.token("42"))).await.0, 200);
    let (code, detail) = status(&world, None).await;
    assert_eq!(code, 401);
    assert!(detail.contains("satellite token"), "{detail}");
}

#[tokio::test]
async fn a_private_endpoint_lets_only_its_owner_in() {
    let world = World::private().await;
    assert_eq!(status(&world, Some(&world.hub.token("7"))).await.0, 200);
    for other in ["guest", "42"] {
        let (code, detail) = status(&world, Some(&world.hub.token(other))).await;
        assert_eq!(code, 403, "{other}");
        assert!(detail.contains("only its owner"), "{detail}");
    }
    assert_eq!(world.hub.endpoint("my-notes").unwrap()["visibility"], "private");
}

#[tokio::test]
async fn tokens_that_are_not_good_are_refused_by_name() {
    let world = World::start().await;
    let good = FakeHub::claims("42");
    let cases = [
        (Claims { aud: "bob".to_owned(), ..good.clone() }, "audience_mismatch"),
        (Claims { iss: "https://evil.example".to_owned(), ..good.clone() }, "invalid_issuer"),
        (Claims { exp: good.iat - 1, ..good.clone() }, "token_expired"),
    ];
    for (claims, name) in cases {
        let (code, detail) = status(&world, Some(&world.hub.sign(&claims))).await;
        assert_eq!(code, 401);
        assert!(detail.contains(name), "{detail}");
    }
    let foreign = mint(&SigningKey::generate().unwrap(), &good).unwrap();
    let tampered = world.hub.token("42").replace('.', ".e");
    for bad in [foreign.as_str(), tampered.as_str(), "garbage", "a.b.c", crate::fake_hub::TOKEN] {
        assert_eq!(status(&world, Some(bad)).await.0, 401, "{bad}");
    }
}

#[tokio::test]
async fn keys_are_cached_and_made_up_keys_do_not_flood_the_hub() {
    let world = World::start().await;
    for _ in 0..5 {
        assert_eq!(status(&world, Some(&world.hub.token("guest"))).await.0, 200);
    }
    assert_eq!(world.hub.key_fetches(), 1);
    let foreign = mint(&SigningKey::generate().unwrap(), &FakeHub::claims("42")).unwrap();
    for _ in 0..5 {
        assert_eq!(status(&world, Some(&foreign)).await.0, 401);
    }
    assert!(world.hub.key_fetches() <= 2, "{}", world.hub.key_fetches());
}

#[tokio::test]
async fn a_new_key_of_the_hub_is_fetched_when_it_is_first_seen() {
    use std::time::Duration;
    use syfthub_domain::{Clock as _, FixedClock, SystemClock};
    let clock = FixedClock::new(SystemClock.now());
    let given = clock.clone();
    let world = World::with(move |config| config.clock = given).await;
    assert_eq!(status(&world, Some(&world.hub.token("guest"))).await.0, 200);
    world.hub.change_key();
    clock.advance(Duration::from_secs(6));
    assert_eq!(status(&world, Some(&world.hub.token("guest"))).await.0, 200);
    assert_eq!(world.hub.key_fetches(), 2);
}

#[tokio::test]
async fn with_the_hub_away_known_keys_still_work() {
    let mut world = World::start().await;
    assert_eq!(status(&world, Some(&world.hub.token("guest"))).await.0, 200);
    world.hub.leave().await;
    assert_eq!(status(&world, Some(&world.hub.token("guest"))).await.0, 200);
}

#[tokio::test]
async fn a_hub_that_mints_no_token_for_the_publisher_is_known_by_its_address() {
    use crate::world::{client, config, embedded, query_url, read};
    let (hub, state) = (FakeHub::start().await, tempfile::tempdir().unwrap());
    hub.state.mints.store(false, std::sync::atomic::Ordering::SeqCst);
    let mut config = config(&hub, state.path());
    config.source = Some(embedded());
    let node = syfthub_node::Node::start(config).await.unwrap();
    node.published().await.unwrap();
    let ask = async |issuer: String| {
        let token = hub.sign(&Claims { iss: issuer, ..FakeHub::claims("guest") });
        let request = client().post(query_url(&node, "my-notes")).json(&json!({"messages": "penguins"}));
        read(request.bearer(&syfthub_config::Secret::new(token)).send().await.unwrap()).await.0
    };
    assert_eq!(ask(hub.url()).await, 200);
    assert_eq!(ask(crate::fake_hub::ISSUER.to_owned()).await, 401);
}
