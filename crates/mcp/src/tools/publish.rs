//! `publish_endpoint` and `update_endpoint`, by the rules of the hub's own routes.

use std::time::Duration;

use serde_json::{Map, Value, json};
use syfthub_domain::{Error, Result};
use syfthub_proto::tools::{PublishEndpointRequest, UpdateEndpointRequest};
use syfthub_rpc::{stubs, with_deadline};
use syfthub_web::Fields;

use super::asking::is_path;
use super::endpoint::uri;
use super::{Outcome, Tools, error_of, object};
use crate::access::Caller;

/// The names that clients' configurations know.
pub(crate) const PUBLISH: &str = "publish_endpoint";
pub(crate) const UPDATE: &str = "update_endpoint";

const DEADLINE: Duration = Duration::from_secs(10);

/// Publishes an endpoint of the caller. The hub reads the arguments, so that its rules are in one place.
pub(crate) async fn publish(tools: &Tools, caller: &Caller, endpoint: Map<String, Value>) -> Outcome {
    let name = endpoint.get("name").cloned().unwrap_or_default();
    let request = PublishEndpointRequest {
        credential: caller.credential.expose().to_owned(),
        endpoint_json: Value::Object(endpoint).to_string(),
    };
    let request = with_deadline(tonic::Request::new(request), DEADLINE);
    let made = stubs::tools_client(tools.hub.clone()).publish_endpoint(request).await;
    let made = made.map_err(|refused| error_of(&refused)).map(tonic::Response::into_inner);
    match made.and_then(|made| told(tools, &made.path, &made.endpoint_json)) {
        Ok(told) => Outcome::Good(told),
        Err(error) => tools.failure(PUBLISH, error, object(json!({"name": name}))),
    }
}

/// A change.
pub(crate) struct Change {
    path: String,
    changes: Map<String, Value>,
}

impl Change {
    pub(crate) fn read(mut arguments: Map<String, Value>) -> Result<Self> {
        let mut fields = Fields::body(Value::Object(arguments.clone()))?;
        let path = fields.string("path").length(1, 200).rule(|path| is_path(path)).required();
        for fixed in ["type", "slug"] {
            if arguments.contains_key(fixed) {
                fields.reject(fixed, "it never changes");
            }
        }
        let valid = fields.finish()?;
        arguments.remove("path");
        Ok(Self { path: path.take(&valid), changes: arguments })
    }
}

/// Changes an endpoint that the caller runs.
pub(crate) async fn update(tools: &Tools, caller: &Caller, change: Change) -> Outcome {
    let request = UpdateEndpointRequest {
        credential: caller.credential.expose().to_owned(),
        path: change.path.clone(),
        changes_json: Value::Object(change.changes).to_string(),
    };
    let request = with_deadline(tonic::Request::new(request), DEADLINE);
    let changed = stubs::tools_client(tools.hub.clone()).update_endpoint(request).await;
    let changed = changed.map_err(|refused| error_of(&refused)).map(tonic::Response::into_inner);
    match changed.and_then(|changed| told(tools, &changed.path, &changed.endpoint_json)) {
        Ok(told) => Outcome::Good(told),
        Err(error) => tools.failure(UPDATE, error, object(json!({"path": change.path}))),
    }
}

/// The endpoint afterwards. Connections and policies are left out: they may hold secrets, and a language model that
/// needs them can ask for the endpoint.
fn told(tools: &Tools, path: &str, endpoint_json: &str) -> Result<Value> {
    let full: Value = serde_json::from_str(endpoint_json)
        .map_err(|error| Error::internal("the hub's endpoint is not JSON").with_source(error))?;
    let mut endpoint = Map::new();
    for key in ["name", "type", "visibility", "description", "version", "tags", "archived", "is_active"] {
        endpoint.insert(key.to_owned(), full[key].clone());
    }
    Ok(json!({
        "success": true,
        "path": path,
        "resource": uri(path),
        "endpoint": endpoint,
        "timestamp": tools.clock.now(),
    }))
}
