//! `get_endpoint` and `endpoint_health`: one endpoint, as the caller may see it.

use std::time::Duration;

use serde_json::{Map, Value, json};
use syfthub_domain::{EndpointPath, Error, Result, Timestamp};
use syfthub_proto::tools::{GetEndpointHealthRequest, GetEndpointHealthResponse, GetEndpointRequest};
use syfthub_rpc::{stubs, with_deadline};
use syfthub_web::Fields;

use super::asking::is_path;
use super::discover::public_url;
use super::{Outcome, Tools, error_of, object};
use crate::access::Caller;

/// The names that clients' configurations know.
pub(crate) const GET: &str = "get_endpoint";
pub(crate) const HEALTH: &str = "endpoint_health";

const DEADLINE: Duration = Duration::from_secs(10);
/// How far back uptime goes.
const WINDOW_HOURS: u32 = 24;

/// The arguments of both.
pub(crate) struct Request {
    path: String,
}

impl Request {
    pub(crate) fn read(mut fields: Fields) -> Result<Self> {
        let path = fields.string("path").length(1, 200).rule(|path| is_path(path)).required();
        let valid = fields.finish()?;
        Ok(Self { path: path.take(&valid) })
    }
}

/// Shows an endpoint.
pub(crate) async fn get(tools: &Tools, caller: &Caller, request: Request) -> Outcome {
    match find(tools, caller, &request.path).await {
        Ok(endpoint) => {
            let mut told = object(json!({"success": true}));
            told.extend(endpoint);
            told.insert("timestamp".to_owned(), json!(tools.clock.now()));
            Outcome::Good(Value::Object(told))
        }
        Err(error) => tools.failure(GET, error, object(json!({"path": request.path}))),
    }
}

/// What the caller may know of an endpoint, without addresses that are nobody's business.
pub(crate) async fn find(tools: &Tools, caller: &Caller, path: &str) -> Result<Map<String, Value>> {
    let request =
        GetEndpointRequest { credential: caller.credential.expose().to_owned(), path: path.to_owned() };
    let request = with_deadline(tonic::Request::new(request), DEADLINE);
    let found = stubs::tools_client(tools.hub.clone())
        .get_endpoint(request)
        .await
        .map_err(|refused| error_of(&refused))?
        .into_inner();
    let shown: Value = serde_json::from_str(&found.endpoint_json)
        .map_err(|error| Error::internal("the hub's endpoint is not JSON").with_source(error))?;
    Ok(told(&shown))
}

fn told(shown: &Value) -> Map<String, Value> {
    let text = |key: &str| shown[key].as_str().unwrap_or_default();
    let path = format!("{}/{}", text("owner_username"), text("slug"));
    let empty = Vec::new();
    let connections = shown["connect"].as_array().unwrap_or(&empty).iter();
    let connections: Vec<Value> = connections
        .map(|connection| {
            let url = connection.pointer("/config/url").and_then(Value::as_str).and_then(public_url);
            json!({
                "type": connection["type"],
                "enabled": connection["enabled"],
                "description": connection["description"],
                "url": url,
            })
        })
        .collect();
    let mut told = object(json!({"path": path, "resource": uri(&path)}));
    for key in [
        "name",
        "type",
        "owner_username",
        "slug",
        "description",
        "version",
        "tags",
        "readme",
        "policies",
        "stars_count",
        "health_status",
        "health_checked_at",
        "archived",
        "created_at",
        "updated_at",
    ] {
        told.insert(key.to_owned(), shown[key].clone());
    }
    told.insert("connections".to_owned(), connections.into());
    told
}

/// The resource of an endpoint.
pub(crate) fn uri(path: &str) -> String {
    format!("syfthub://{path}")
}

/// The path of a resource.
pub(crate) fn path_of(uri: &str) -> Option<EndpointPath> {
    EndpointPath::parse(uri.strip_prefix("syfthub://")?)
}

/// Tells how an endpoint is.
pub(crate) async fn health(tools: &Tools, caller: &Caller, request: Request) -> Outcome {
    let question = GetEndpointHealthRequest {
        credential: caller.credential.expose().to_owned(),
        path: request.path.clone(),
        window_hours: WINDOW_HOURS,
    };
    let question = with_deadline(tonic::Request::new(question), DEADLINE);
    match stubs::tools_client(tools.hub.clone()).get_endpoint_health(question).await {
        Ok(found) => Outcome::Good(state(tools, &request.path, &found.into_inner())),
        Err(refused) => tools.failure(HEALTH, error_of(&refused), object(json!({"path": request.path}))),
    }
}

fn state(tools: &Tools, path: &str, found: &GetEndpointHealthResponse) -> Value {
    let uptime: Value = serde_json::from_str(&found.uptime_json).unwrap_or_default();
    let empty = Vec::new();
    let buckets = uptime["buckets"].as_array().unwrap_or(&empty);
    let sum = |key: &str| buckets.iter().filter_map(|bucket| bucket[key].as_i64()).sum::<i64>();
    let (samples, healthy) = (sum("samples"), sum("healthy_samples"));
    // Two decimals, as the hub's own pages show it.
    let percent = (samples > 0).then(|| (healthy as f64 / samples as f64 * 10_000.0).round() / 100.0);
    json!({
        "success": true,
        "path": path,
        "state": found.state,
        "checked_at": found.checked_at_us.map(Timestamp::from_micros),
        "uptime": {"window_hours": WINDOW_HOURS, "samples": samples, "healthy_samples": healthy, "uptime_pct": percent},
        "breaker": uptime["breaker"],
        "timestamp": tools.clock.now(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_leads_to_its_path_and_back() {
        assert_eq!(path_of(&uri("bob/docs")).map(|path| path.to_string()).as_deref(), Some("bob/docs"));
        for odd in ["syfthub://bob", "bob/docs", "https://bob/docs", "syfthub://bob/docs/x", "syfthub:///x"] {
            assert_eq!(path_of(odd), None, "{odd}");
        }
    }

    #[test]
    fn private_addresses_of_an_endpoint_are_not_told() {
        let shown = json!({
            "owner_username": "bob", "slug": "docs",
            "connect": [
                {"type": "http", "config": {"url": "http://10.0.0.9", "api_key": "hush"}},
                {"type": "http", "config": {"url": "https://docs.example.org"}},
            ],
        });
        let told = Value::Object(told(&shown));
        assert_eq!(told["connections"][0]["url"], Value::Null);
        assert_eq!(told["connections"][1]["url"], "https://docs.example.org");
        assert!(!told.to_string().contains("hush"));
    }
}
