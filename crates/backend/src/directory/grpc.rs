//! Resolve, search and list, as the viewer behind a credential may see it.

use syfthub_domain::{EndpointPath, EndpointType, Error, ErrorCode, Result};
use syfthub_proto::common;
use syfthub_proto::directory::directory_service_server::DirectoryService;
use syfthub_proto::directory::{
    BreakerState, DescribeEndpointsRequest, DescribeEndpointsResponse, Endpoint, ListEndpointsRequest,
    ListEndpointsResponse, ListPresetsRequest, ListPresetsResponse, Preset, ReportBreakersRequest,
    ReportBreakersResponse, ResolveEndpointsRequest, ResolveEndpointsResponse, ResolvePresetRequest,
    ResolvePresetResponse, ScoredEndpoint, SearchEndpointsRequest, SearchEndpointsResponse,
};
use syfthub_rpc::{Caller, require};
use syfthub_store::Page;
use syfthub_store::endpoints::{EndpointWithOwner, OwnerFilter};
use syfthub_store::presets::PresetRow;
use tonic::{Request, Response, Status};

use super::standing::state_of;
use crate::endpoints::{connections, mapper, visibility};
use crate::identity::grpc::{answer, viewer};
use crate::identity::{Method, callers};
use crate::router::AppState;

/// Paths of one call.
const MAX_PATHS: usize = 50;
/// Longest query, in characters.
const MAX_QUERY: usize = 1000;
/// Most endpoints of the viewer's own that a listing adds.
const MAX_OWN: u32 = 100;

/// Serves `directory.v1`.
#[derive(Debug, Clone)]
pub(crate) struct DirectoryGrpc(pub(crate) AppState);

#[tonic::async_trait]
impl DirectoryService for DirectoryGrpc {
    async fn resolve_endpoints(
        &self,
        request: Request<ResolveEndpointsRequest>,
    ) -> std::result::Result<Response<ResolveEndpointsResponse>, Status> {
        let caller = require(&request, callers(Method::ResolveEndpoints))?;
        answer(self.resolve(caller, request.into_inner()).await)
    }

    async fn search_endpoints(
        &self,
        request: Request<SearchEndpointsRequest>,
    ) -> std::result::Result<Response<SearchEndpointsResponse>, Status> {
        let caller = require(&request, callers(Method::SearchEndpoints))?;
        answer(self.search(caller, request.into_inner()).await)
    }

    async fn list_endpoints(
        &self,
        request: Request<ListEndpointsRequest>,
    ) -> std::result::Result<Response<ListEndpointsResponse>, Status> {
        let caller = require(&request, callers(Method::ListEndpoints))?;
        answer(self.list(caller, request.into_inner()).await)
    }

    async fn resolve_preset(
        &self,
        request: Request<ResolvePresetRequest>,
    ) -> std::result::Result<Response<ResolvePresetResponse>, Status> {
        let caller = require(&request, callers(Method::ResolvePreset))?;
        answer(self.preset(caller, request.into_inner()).await)
    }

    async fn list_presets(
        &self,
        request: Request<ListPresetsRequest>,
    ) -> std::result::Result<Response<ListPresetsResponse>, Status> {
        let caller = require(&request, callers(Method::ListPresets))?;
        answer(self.presets(caller, request.into_inner()).await)
    }

    async fn describe_endpoints(
        &self,
        request: Request<DescribeEndpointsRequest>,
    ) -> std::result::Result<Response<DescribeEndpointsResponse>, Status> {
        require(&request, callers(Method::DescribeEndpoints))?;
        answer(self.0.standings.describe(request.into_inner()).await)
    }

    async fn report_breakers(
        &self,
        request: Request<ReportBreakersRequest>,
    ) -> std::result::Result<Response<ReportBreakersResponse>, Status> {
        require(&request, callers(Method::ReportBreakers))?;
        answer(self.0.standings.report(request.into_inner()).await)
    }
}

impl DirectoryGrpc {
    async fn resolve(
        &self,
        caller: Caller,
        request: ResolveEndpointsRequest,
    ) -> Result<ResolveEndpointsResponse> {
        if request.paths.len() > MAX_PATHS {
            return Err(bad(format!("at most {MAX_PATHS} paths are resolved in one call")));
        }
        let viewer = viewer(&self.0, caller, &request.credential).await?;
        let paths: Vec<EndpointPath> =
            request.paths.iter().filter_map(|text| EndpointPath::parse(text)).collect();
        let found = self.0.endpoints.resolve(&paths).await?;
        let ids: Vec<_> = found.iter().map(|item| item.endpoint.id).collect();
        let breakers = self.0.standings.breakers(&ids).await?;
        let mut response = ResolveEndpointsResponse::default();
        for text in request.paths {
            let path = EndpointPath::parse(&text).map(|path| path.to_string());
            let item = found.iter().find(|item| path.as_ref().is_some_and(|path| item.path() == *path));
            match item.filter(|item| visibility::may_see(item, viewer.as_ref())) {
                Some(item) => {
                    let said = breakers.iter().find(|line| line.endpoint_id == item.endpoint.id);
                    let breaker = state_of(said).into();
                    response.endpoints.push(Endpoint { breaker, ..to_wire(item) });
                }
                None => response.missing.push(text),
            }
        }
        Ok(response)
    }

    async fn search(
        &self,
        caller: Caller,
        request: SearchEndpointsRequest,
    ) -> Result<SearchEndpointsResponse> {
        let length = request.query.chars().count();
        if !(1..=MAX_QUERY).contains(&length) {
            return Err(bad(format!("the query has 1 to {MAX_QUERY} characters")));
        }
        let kind = kind(request.r#type)?;
        // The results are public, but a credential that is not good is still worth an error.
        viewer(&self.0, caller, &request.credential).await?;
        let top_k = usize::try_from(request.top_k.clamp(1, 50)).unwrap_or(10);
        let hits = self.0.endpoints.search(&request.query, top_k, kind).await?;
        let results = hits
            .iter()
            .map(|hit| ScoredEndpoint { endpoint: Some(to_wire(&hit.item)), relevance_score: hit.score });
        Ok(SearchEndpointsResponse { results: results.collect() })
    }

    async fn list(&self, caller: Caller, request: ListEndpointsRequest) -> Result<ListEndpointsResponse> {
        let kind = kind(request.r#type)?;
        let viewer = viewer(&self.0, caller, &request.credential).await?;
        let page = Page::new(request.skip, request.limit.clamp(1, 100));
        let (mut rows, total) = self.0.endpoints.browse_rows(kind, page).await?;
        if let Some(viewer) = viewer.filter(|_| request.include_own && request.skip == 0) {
            let filter = OwnerFilter { active_only: true, ..OwnerFilter::default() };
            let own = self.0.endpoints.own(&viewer, &filter, Page::new(0, MAX_OWN)).await?;
            let wanted = |item: &EndpointWithOwner| {
                let has_type = kind.is_none_or(|kind| does_work_of(item.endpoint.kind, kind));
                has_type && !item.endpoint.archived && !item.is_listed()
            };
            rows.extend(own.into_iter().filter(wanted));
        }
        Ok(ListEndpointsResponse { endpoints: rows.iter().map(to_wire).collect(), total })
    }

    async fn preset(&self, caller: Caller, request: ResolvePresetRequest) -> Result<ResolvePresetResponse> {
        let viewer = viewer(&self.0, caller, &request.credential).await?;
        let path = EndpointPath::parse(&request.path).ok_or_else(|| Error::not_found("Preset not found"))?;
        let preset = self.0.presets.get(viewer.as_ref(), &path).await?;
        Ok(ResolvePresetResponse { preset: Some(preset_to_wire(preset)) })
    }

    async fn presets(&self, caller: Caller, request: ListPresetsRequest) -> Result<ListPresetsResponse> {
        let viewer = viewer(&self.0, caller, &request.credential).await?;
        let page = Page::new(request.skip, request.limit.clamp(1, 100));
        let (rows, total) = self.0.presets.visible(viewer.as_ref(), page).await?;
        Ok(ListPresetsResponse { presets: rows.into_iter().map(preset_to_wire).collect(), total })
    }
}

/// Whether endpoints of type `own` do the work of `wanted`; the combined type does that of both.
fn does_work_of(own: EndpointType, wanted: EndpointType) -> bool {
    let combined = matches!(wanted, EndpointType::Model | EndpointType::DataSource);
    own == wanted || (combined && own == EndpointType::ModelDataSource)
}

fn bad(text: String) -> Error {
    Error::new(ErrorCode::BadRequest, text)
}

/// The type filter; unspecified means every type.
fn kind(number: i32) -> Result<Option<EndpointType>> {
    match common::EndpointType::try_from(number) {
        Ok(common::EndpointType::Unspecified) => Ok(None),
        Ok(kind) => EndpointType::try_from(kind).map(Some),
        Err(_) => Err(bad("the endpoint type is not known".to_owned())),
    }
}

fn to_wire(item: &EndpointWithOwner) -> Endpoint {
    let row = &item.endpoint;
    let reach = connections::reach(mapper::items(&row.connect), item.owner_domain.as_deref());
    Endpoint {
        owner_username: item.owner_username.as_str().to_owned(),
        slug: row.slug.as_str().to_owned(),
        name: row.name.clone(),
        description: row.description.clone(),
        r#type: common::EndpointType::from(row.kind).into(),
        version: row.version.as_str().to_owned(),
        tags: row.tags.iter().map(|tag| tag.as_str().to_owned()).collect(),
        stars_count: row.stars_count,
        url: reach.url,
        tenant_name: reach.tenant_name,
        health_status: row.health_status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
        updated_at_us: row.updated_at.as_micros(),
        connection_type: reach.connection_type,
        upstream_model: reach.upstream_model,
        created_at_us: row.created_at.as_micros(),
        archived: row.archived,
        breaker: BreakerState::Unspecified.into(),
    }
}

fn preset_to_wire(row: PresetRow) -> Preset {
    let number = |number: Option<i64>| number.and_then(|number| u32::try_from(number).ok());
    Preset {
        owner_username: row.owner_username.into_string(),
        slug: row.slug.into_string(),
        name: row.name,
        description: row.description,
        model: row.model,
        sources: row.sources,
        system_prompt: row.system_prompt.unwrap_or_default(),
        top_k: number(row.top_k),
        max_tokens: number(row.max_tokens),
        temperature: row.temperature,
        similarity_threshold: row.similarity_threshold,
        created_at_us: row.created_at.as_micros(),
    }
}
