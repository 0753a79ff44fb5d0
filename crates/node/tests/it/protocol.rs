//! The test vectors of the protocol between hub and node, from the node's side. The aggregator's tests replay the
//! same files from the other side.

use std::path::PathBuf;

use serde_json::Value;
use syfthub_auth::satellite::Verifier;
use syfthub_config::Secret;
use syfthub_domain::Timestamp;
use syfthub_node::{Corpus, EmbeddedDocument, ModelConfig, SourceConfig};

use crate::world::{World, client, slug};

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocol/space-v1"))
}

fn read(path: PathBuf) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A node that serves what the vectors ask for.
async fn world() -> World {
    let herons =
        "# Herons\n\nThe grey heron nests in tall trees. Herons eat fish, frogs and small mammals.\n";
    let document = EmbeddedDocument { path: "birds/herons.md".to_owned(), bytes: herons.as_bytes().into() };
    World::with(move |config| {
        config.source = Some(SourceConfig {
            slug: slug("bird-notes"),
            name: "Bird notes".to_owned(),
            description: "Notes about birds.".to_owned(),
            corpus: Corpus::Embedded(vec![document]),
        });
        config.model = Some(ModelConfig::Extract { slug: slug("writer"), name: "Writer".to_owned() });
    })
    .await
}

/// Whether `found` has all keys of `expected`, with values of the same types.
fn has_shape(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            expected.iter().all(|(key, value)| found.get(key).is_some_and(|other| has_shape(other, value)))
        }
        (Value::Array(found), Value::Array(expected)) => {
            found.is_empty() == expected.is_empty() && found.iter().all(|item| has_shape(item, &expected[0]))
        }
        _ => std::mem::discriminant(found) == std::mem::discriminant(expected),
    }
}

/// The `data:` lines of a stream: JSON, or text where it is none.
fn data(stream: &str) -> Vec<Value> {
    let lines = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    lines.map(|line| serde_json::from_str(line).unwrap_or_else(|_| line.into())).collect()
}

#[tokio::test]
async fn the_node_answers_in_the_shapes_of_the_vectors() {
    let world = world().await;
    let mut count = 0;
    for file in std::fs::read_dir(folder()).unwrap() {
        let path = file.unwrap().path();
        let (name, vector) = (path.display().to_string(), read(path));
        let Some(node) = vector.get("node") else { continue };
        count += 1;
        let request = &vector["request"];
        let url = format!("http://{}{}", world.node.addr(), request["path"].as_str().unwrap());
        let mut call = client().post(url.parse().unwrap()).json(&request["body"]);
        if request["headers"].get("authorization").is_some() {
            call = call.bearer(&Secret::new(world.hub.token("guest")));
        }
        if let Some(accept) = request["headers"].get("accept") {
            call = call.header(http::header::ACCEPT, accept.as_str().unwrap().parse().unwrap());
        }
        let answer = call.send().await.unwrap();
        assert_eq!(node["status"], answer.status().as_u16(), "{name}");
        let expected = vector["responses"].as_array().unwrap().last().unwrap();
        assert_eq!(answer.media_type().as_deref(), expected["headers"]["content-type"].as_str(), "{name}");
        if let Some(authenticate) = expected["headers"].get("www-authenticate") {
            assert_eq!(answer.headers()["www-authenticate"], authenticate.as_str().unwrap(), "{name}");
        }
        let text = answer.text_capped(1 << 20).await.unwrap();
        let Some(stream) = expected["text"].as_str() else {
            let found: Value = serde_json::from_str(&text).unwrap();
            assert!(has_shape(&found, &expected["body"]), "{name}: {found}");
            continue;
        };
        let found = data(&text);
        for line in data(stream) {
            assert!(
                found.iter().any(|other| has_shape(other, &line)),
                "{name}: nothing like {line} in {text}"
            );
        }
        assert_eq!(found.last(), Some(&Value::from("[DONE]")), "{name}");
    }
    assert!(count >= 6, "{count} vectors are about nodes");
}

#[test]
fn tokens_are_taken_and_refused_as_the_vectors_say() {
    let vector = read(folder().join("token.json"));
    let verifier = Verifier::from_jwks(&vector["jwks"]).unwrap();
    for case in vector["cases"].as_array().unwrap() {
        let text = |key: &str| case[key].as_str().unwrap();
        let now = Timestamp::from_secs(case["now"].as_i64().unwrap());
        match verifier.verify(text("token"), text("audience"), text("issuer"), now) {
            Ok(claims) => {
                assert_eq!(serde_json::to_value(claims).unwrap(), case["claims"], "{}", case["about"]);
            }
            Err(error) => assert_eq!(error.name(), case["refused"], "{}", case["about"]),
        }
    }
}
