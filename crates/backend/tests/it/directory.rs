//! Listings of `directory.v1`, with what only the viewer sees.

use serde_json::json;
use syfthub_proto::common::EndpointType;
use syfthub_proto::directory::ListEndpointsRequest;
use syfthub_rpc::{Caller, stubs};

use crate::actor::{Actor, TestApp};

async fn listed(
    app: &TestApp,
    who: Option<&Actor>,
    kind: EndpointType,
    skip: u32,
    include_own: bool,
) -> (Vec<String>, i64) {
    let request = ListEndpointsRequest {
        credential: who.and_then(|who| who.token.clone()).unwrap_or_default(),
        skip,
        limit: 100,
        r#type: kind.into(),
        include_own,
    };
    let listed = stubs::directory_client(app.peer(Caller::Aggregator))
        .list_endpoints(request)
        .await
        .unwrap()
        .into_inner();
    let mut paths: Vec<String> =
        listed.endpoints.iter().map(|found| format!("{}/{}", found.owner_username, found.slug)).collect();
    paths.sort();
    (paths, listed.total)
}

#[tokio::test]
async fn the_viewers_own_come_with_the_first_page() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let eve = app.user("eve").await;
    for (slug, more) in [
        ("open", json!({"type": "model"})),
        ("hidden", json!({"type": "model", "visibility": "private"})),
        ("inside", json!({"type": "model_data_source", "visibility": "internal"})),
        ("notes", json!({"type": "data_source", "visibility": "private"})),
        ("old", json!({"type": "model", "visibility": "private"})),
    ] {
        let made = bob.publish(slug, more).await;
        if slug == "old" {
            bob.patch(&format!("/api/v1/endpoints/{}", made["id"]), &json!({"archived": true})).await.is(200);
        }
    }
    eve.publish("hers", json!({"type": "model", "visibility": "private"})).await;
    let model = EndpointType::Model;
    let public = (vec!["bob/open".to_owned()], 1);
    assert_eq!(listed(&app, Some(&bob), model, 0, false).await, public);
    let own = listed(&app, Some(&bob), model, 0, true).await;
    assert_eq!(
        own.0,
        ["bob/hidden", "bob/inside", "bob/open"],
        "each once, no archived ones, no data sources"
    );
    assert_eq!(own.1, 1, "the count is that of the pages");
    assert_eq!(listed(&app, Some(&bob), model, 1, true).await, (vec![], 1), "on the first page only");
    assert_eq!(listed(&app, Some(&eve), model, 0, true).await.0, ["bob/open", "eve/hers"]);
    assert_eq!(listed(&app, None, model, 0, true).await, public);
    let every = listed(&app, Some(&bob), EndpointType::Unspecified, 0, true).await.0;
    assert_eq!(every, ["bob/hidden", "bob/inside", "bob/notes", "bob/open"]);
    let sources = listed(&app, Some(&bob), EndpointType::DataSource, 0, true).await.0;
    assert_eq!(sources, ["bob/inside", "bob/notes"]);
}
