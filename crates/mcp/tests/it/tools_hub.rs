//! A fake of what the tools do at the backend.

use std::sync::PoisonError;

use serde_json::{Value, json};
use syfthub_domain::field::known_kind;
use syfthub_domain::{Error, FieldError};
use syfthub_proto::tools::tools_service_server::ToolsService;
use syfthub_proto::tools::{
    CompletePathRequest, CompletePathResponse, GetEndpointHealthRequest, GetEndpointHealthResponse,
    GetEndpointRequest, GetEndpointResponse, PublishEndpointRequest, PublishEndpointResponse,
    RecordCallsRequest, RecordCallsResponse, UpdateEndpointRequest, UpdateEndpointResponse,
};
use syfthub_rpc::status::to_status;
use tonic::{Request, Response, Status};

use crate::hub::Fake;

fn docs() -> Value {
    json!({
        "owner_username": "bob", "slug": "docs", "name": "Docs", "type": "data_source", "description": "Reports",
        "version": "1.0.0", "tags": ["finance"], "readme": "## Inside\n\nQuarterly reports.", "policies": [],
        "stars_count": 3, "health_status": "healthy", "health_checked_at": null, "archived": false,
        "connect": [{"type": "http", "enabled": true, "description": "", "config": {"url": "http://10.0.0.9:8010"}}],
        "created_at": "2023-11-14T22:13:20Z", "updated_at": "2023-11-14T22:13:20Z",
    })
}

fn unknown() -> Status {
    to_status(&Error::not_found("Endpoint not found"))
}

impl Fake {
    fn only_docs(&self, credential: &str, path: &str) -> Result<(), Status> {
        self.check(credential)?;
        if path == "bob/docs" { Ok(()) } else { Err(unknown()) }
    }
}

#[tonic::async_trait]
impl ToolsService for Fake {
    async fn get_endpoint(
        &self,
        request: Request<GetEndpointRequest>,
    ) -> Result<Response<GetEndpointResponse>, Status> {
        let request = request.into_inner();
        self.only_docs(&request.credential, &request.path)?;
        Ok(Response::new(GetEndpointResponse { endpoint_json: docs().to_string() }))
    }

    async fn get_endpoint_health(
        &self,
        request: Request<GetEndpointHealthRequest>,
    ) -> Result<Response<GetEndpointHealthResponse>, Status> {
        let request = request.into_inner();
        self.only_docs(&request.credential, &request.path)?;
        let uptime = json!({"buckets": [
            {"samples": 10, "healthy_samples": 10}, {"samples": 2, "healthy_samples": 1},
        ]});
        Ok(Response::new(GetEndpointHealthResponse {
            state: "healthy".to_owned(),
            checked_at_us: Some(1_700_000_000_000_000),
            uptime_json: uptime.to_string(),
        }))
    }

    async fn publish_endpoint(
        &self,
        request: Request<PublishEndpointRequest>,
    ) -> Result<Response<PublishEndpointResponse>, Status> {
        let request = request.into_inner();
        self.check(&request.credential)?;
        let endpoint: Value = serde_json::from_str(&request.endpoint_json).unwrap();
        if endpoint["type"] == "robot" {
            let loc = vec!["body".into(), "type".into()];
            let field = FieldError::new(known_kind("enum"), loc, "Input should be 'model'");
            return Err(to_status(&Error::fields(vec![field])));
        }
        self.0.published.lock().unwrap_or_else(PoisonError::into_inner).push(request.endpoint_json);
        let full = json!({"name": endpoint["name"], "type": endpoint["type"], "visibility": "public",
            "connect": [{"config": {"api_key": "hush"}}]});
        Ok(Response::new(PublishEndpointResponse {
            path: "ada/notes".to_owned(),
            endpoint_json: full.to_string(),
        }))
    }

    async fn update_endpoint(
        &self,
        request: Request<UpdateEndpointRequest>,
    ) -> Result<Response<UpdateEndpointResponse>, Status> {
        let request = request.into_inner();
        self.only_docs(&request.credential, &request.path)?;
        self.0.published.lock().unwrap_or_else(PoisonError::into_inner).push(request.changes_json);
        Ok(Response::new(UpdateEndpointResponse { path: request.path, endpoint_json: docs().to_string() }))
    }

    async fn complete_path(
        &self,
        request: Request<CompletePathRequest>,
    ) -> Result<Response<CompletePathResponse>, Status> {
        let request = request.into_inner();
        self.check(&request.credential)?;
        let known: &[&str] = match request.owner.as_deref() {
            None => &["bob", "bert", "eve"],
            Some("bob") => &["docs", "llm"],
            Some(_) => &[],
        };
        let values = known.iter().filter(|name| name.starts_with(&request.prefix));
        let values = values.map(|name| (*name).to_owned()).collect();
        Ok(Response::new(CompletePathResponse { values, has_more: false }))
    }

    async fn record_calls(
        &self,
        request: Request<RecordCallsRequest>,
    ) -> Result<Response<RecordCallsResponse>, Status> {
        self.0.calls.lock().unwrap_or_else(PoisonError::into_inner).extend(request.into_inner().calls);
        self.0.calls_came.notify_one();
        Ok(Response::new(RecordCallsResponse {}))
    }
}
