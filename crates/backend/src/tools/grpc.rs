//! The calls, each handed to the rules of what it is about.

use serde_json::Value;
use syfthub_auth::{Action, Principal};
use syfthub_domain::{EndpointPath, Error, ErrorCode, Result, Timestamp};
use syfthub_proto::tools::tools_service_server::ToolsService;
use syfthub_proto::tools::{
    CompletePathRequest, CompletePathResponse, GetEndpointHealthRequest, GetEndpointHealthResponse,
    GetEndpointRequest, GetEndpointResponse, PublishEndpointRequest, PublishEndpointResponse,
    RecordCallsRequest, RecordCallsResponse, UpdateEndpointRequest, UpdateEndpointResponse,
};
use syfthub_rpc::{Caller, require};
use syfthub_store::endpoints::EndpointWithOwner;
use tonic::{Request, Response, Status};

use super::calls;
use crate::endpoints::health::state_name;
use crate::endpoints::{input, mapper, visibility};
use crate::identity::grpc::{answer, viewer};
use crate::identity::{Method, callers};
use crate::router::AppState;

/// Largest JSON of a request, in bytes.
const MAX_JSON: usize = 1024 * 1024;
/// Longest beginning of a name, in characters.
const MAX_PREFIX: usize = 100;
const MAX_WINDOW_HOURS: u32 = 720;

/// Serves `tools.v1`.
#[derive(Debug, Clone)]
pub(crate) struct ToolsGrpc(pub(crate) AppState);

type Answer<T> = std::result::Result<Response<T>, Status>;

#[tonic::async_trait]
impl ToolsService for ToolsGrpc {
    async fn get_endpoint(&self, request: Request<GetEndpointRequest>) -> Answer<GetEndpointResponse> {
        let caller = require(&request, callers(Method::UseTools))?;
        answer(self.get(caller, request.into_inner()).await)
    }

    async fn get_endpoint_health(
        &self,
        request: Request<GetEndpointHealthRequest>,
    ) -> Answer<GetEndpointHealthResponse> {
        let caller = require(&request, callers(Method::UseTools))?;
        answer(self.health(caller, request.into_inner()).await)
    }

    async fn publish_endpoint(
        &self,
        request: Request<PublishEndpointRequest>,
    ) -> Answer<PublishEndpointResponse> {
        let caller = require(&request, callers(Method::UseTools))?;
        answer(self.publish(caller, request.into_inner()).await)
    }

    async fn update_endpoint(
        &self,
        request: Request<UpdateEndpointRequest>,
    ) -> Answer<UpdateEndpointResponse> {
        let caller = require(&request, callers(Method::UseTools))?;
        answer(self.update(caller, request.into_inner()).await)
    }

    async fn complete_path(&self, request: Request<CompletePathRequest>) -> Answer<CompletePathResponse> {
        let caller = require(&request, callers(Method::UseTools))?;
        answer(self.complete(caller, request.into_inner()).await)
    }

    async fn record_calls(&self, request: Request<RecordCallsRequest>) -> Answer<RecordCallsResponse> {
        require(&request, callers(Method::UseTools))?;
        answer(calls::record(&self.0, request.into_inner()).map(|()| RecordCallsResponse {}))
    }
}

impl ToolsGrpc {
    async fn get(&self, caller: Caller, request: GetEndpointRequest) -> Result<GetEndpointResponse> {
        let viewer = viewer(&self.0, caller, &request.credential).await?;
        let item = self.find(&request.path, viewer.as_ref()).await?;
        let shown = mapper::public(&item, viewer.as_ref());
        Ok(GetEndpointResponse { endpoint_json: json(&shown)? })
    }

    async fn health(
        &self,
        caller: Caller,
        request: GetEndpointHealthRequest,
    ) -> Result<GetEndpointHealthResponse> {
        let viewer = viewer(&self.0, caller, &request.credential).await?;
        let path = path(&request.path)?;
        let hours = request.window_hours.clamp(1, MAX_WINDOW_HOURS);
        let uptime = self.0.monitor.uptime(viewer.as_ref(), &path.owner, &path.slug, hours).await?;
        // Unlike other questions this one is also answered about what failed checks took off the lists.
        let found = self.0.endpoints.resolve(&[path]).await?.into_iter().next().ok_or_else(unknown)?;
        let row = &found.endpoint;
        Ok(GetEndpointHealthResponse {
            state: state_name(row.is_active && !row.admin_disabled, row.health_status).to_owned(),
            checked_at_us: row.health_checked_at.map(Timestamp::as_micros),
            uptime_json: json(&uptime)?,
        })
    }

    async fn publish(
        &self,
        caller: Caller,
        request: PublishEndpointRequest,
    ) -> Result<PublishEndpointResponse> {
        let user = self.writer(caller, &request.credential).await?;
        let made = self.0.endpoints.create(&user, input::create(body(&request.endpoint_json)?)?).await?;
        let endpoint_json = json(&mapper::full(&made, Some(&user)))?;
        Ok(PublishEndpointResponse { path: made.path(), endpoint_json })
    }

    async fn update(&self, caller: Caller, request: UpdateEndpointRequest) -> Result<UpdateEndpointResponse> {
        let user = self.writer(caller, &request.credential).await?;
        let path = path(&request.path)?;
        let found = self.0.endpoints.resolve(&[path]).await?.into_iter().next();
        let item = found.filter(|item| {
            // Of what is switched off only who runs it may know, and they may change it.
            visibility::may_see(item, Some(&user)) || visibility::may_edit(item, Some(&user))
        });
        let id = item.ok_or_else(unknown)?.endpoint.id;
        let changed =
            self.0.endpoints.update(&user, id, input::update(body(&request.changes_json)?)?).await?;
        let endpoint_json = json(&mapper::full(&changed, Some(&user)))?;
        Ok(UpdateEndpointResponse { path: changed.path(), endpoint_json })
    }

    async fn complete(&self, caller: Caller, request: CompletePathRequest) -> Result<CompletePathResponse> {
        let viewer = viewer(&self.0, caller, &request.credential).await?;
        if request.prefix.chars().count() > MAX_PREFIX {
            return Ok(CompletePathResponse::default());
        }
        let owner = request.owner.map(|owner| owner.trim().to_lowercase());
        let (values, has_more) =
            self.0.endpoints.names(viewer.as_ref(), owner.as_deref(), &request.prefix).await?;
        Ok(CompletePathResponse { values, has_more })
    }

    async fn find(&self, text: &str, viewer: Option<&Principal>) -> Result<EndpointWithOwner> {
        let path = path(text)?;
        self.0.endpoints.by_path(&path.owner, &path.slug, viewer).await?.ok_or_else(unknown)
    }

    /// The user, if the credential lets them change what they own.
    async fn writer(&self, caller: Caller, credential: &str) -> Result<Principal> {
        let user = self.0.access.authenticate_for(caller, credential).await?;
        user.require(Action::Write)?;
        Ok(user)
    }
}

fn path(text: &str) -> Result<EndpointPath> {
    EndpointPath::parse(text).ok_or_else(unknown)
}

fn unknown() -> Error {
    Error::not_found("Endpoint not found")
}

fn body(text: &str) -> Result<Value> {
    let bad = |why: &str| Error::new(ErrorCode::BadRequest, why.to_owned());
    if text.len() > MAX_JSON {
        return Err(bad("the endpoint is larger than 1 MiB"));
    }
    serde_json::from_str(text).map_err(|_| bad("the endpoint is not JSON"))
}

fn json(shown: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(shown)
        .map_err(|error| Error::internal("an endpoint cannot be written").with_source(error))
}
