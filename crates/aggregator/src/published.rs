//! Finds in the directory what a caller names by its path only.

use std::collections::BTreeMap;
use std::time::Duration;

use syfthub_config::Secret;
use syfthub_domain::{EndpointPath, Error, ErrorCode, Result};
use syfthub_proto::common::EndpointType;
use syfthub_proto::directory::{Endpoint, ListEndpointsRequest, ResolveEndpointsRequest};
use syfthub_rpc::{Peer, status, stubs, with_deadline};

use crate::chat::{Connection, EndpointRef};

/// Longest wait for the directory.
const DEADLINE: Duration = Duration::from_secs(5);
/// Endpoints of a page of the directory.
const PAGE: u32 = 100;
/// Most models that are listed.
const MAX_LISTED: usize = 1_000;

/// What the directory says about some paths, as the viewer may see them.
#[derive(Debug, Default)]
pub(crate) struct Published(BTreeMap<String, Endpoint>);

impl Published {
    /// Looks `paths` up; at most 50.
    pub(crate) async fn find(
        hub: &Peer,
        credential: Option<&Secret>,
        paths: &[&EndpointPath],
    ) -> Result<Self> {
        let mut paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
        paths.sort_unstable();
        paths.dedup();
        let request = ResolveEndpointsRequest { credential: text_of(credential), paths };
        let request = with_deadline(tonic::Request::new(request), DEADLINE);
        let found = stubs::directory_client(hub.clone()).resolve_endpoints(request).await;
        let found = found.map_err(|refusal| status::from_status(&refusal))?.into_inner();
        Ok(Self(found.endpoints.into_iter().map(|endpoint| (path_of(&endpoint), endpoint)).collect()))
    }

    /// A model to ask; the error names it.
    pub(crate) fn model(&self, path: &EndpointPath) -> Result<EndpointRef> {
        let found = self.0.get(&path.to_string()).filter(|endpoint| is_model(endpoint));
        let found = found.ok_or_else(|| {
            Error::not_found(format!("The model `{path}` does not exist, or you may not see it"))
        })?;
        reachable(found, path)
    }

    /// A data source to ask; the error names it.
    pub(crate) fn source(&self, path: &EndpointPath) -> Result<EndpointRef> {
        let is_source = |endpoint: &&Endpoint| {
            matches!(endpoint.r#type(), EndpointType::DataSource | EndpointType::ModelDataSource)
        };
        let found = self.0.get(&path.to_string()).filter(is_source).ok_or_else(|| {
            Error::not_found(format!("The data source `{path}` does not exist, or you may not see it"))
        })?;
        let source = reachable(found, path)?;
        if source.connection == Connection::OpenAi {
            let text = format!("`{path}` speaks OpenAI's protocol, which has no way to ask for documents");
            return Err(Error::new(ErrorCode::BadRequest, text));
        }
        Ok(source)
    }

    /// What was found under this path, whatever it is.
    pub(crate) fn get(&self, path: &EndpointPath) -> Option<&Endpoint> {
        self.0.get(&path.to_string())
    }
}

/// Models that the viewer may use: of those that are not archived and not known to be down, in the order of
/// their paths.
pub(crate) async fn models(hub: &Peer, credential: Option<&Secret>) -> Result<Vec<Endpoint>> {
    let mut found = BTreeMap::new();
    let mut skip = 0;
    loop {
        let request = ListEndpointsRequest {
            credential: text_of(credential),
            skip,
            limit: PAGE,
            r#type: EndpointType::Model.into(),
            include_own: true,
        };
        let request = with_deadline(tonic::Request::new(request), DEADLINE);
        let page = stubs::directory_client(hub.clone()).list_endpoints(request).await;
        let page = page.map_err(|refusal| status::from_status(&refusal))?.into_inner();
        skip += PAGE;
        let usable = page.endpoints.into_iter().filter(is_offered);
        found.extend(usable.map(|endpoint| (path_of(&endpoint), endpoint)));
        if i64::from(skip) >= page.total || found.len() >= MAX_LISTED {
            break;
        }
    }
    Ok(found.into_values().take(MAX_LISTED).collect())
}

/// Whether it is a model, alone or together with a data source.
pub(crate) fn is_model(endpoint: &Endpoint) -> bool {
    matches!(endpoint.r#type(), EndpointType::Model | EndpointType::ModelDataSource)
}

/// Whether it is worth offering to somebody who looks for a model.
fn is_offered(endpoint: &Endpoint) -> bool {
    is_model(endpoint) && !endpoint.archived && endpoint.health_status != "unhealthy"
}

/// `owner/slug`.
pub(crate) fn path_of(endpoint: &Endpoint) -> String {
    format!("{}/{}", endpoint.owner_username.to_lowercase(), endpoint.slug.to_lowercase())
}

fn reachable(endpoint: &Endpoint, path: &EndpointPath) -> Result<EndpointRef> {
    if endpoint.url.is_empty() {
        let text = format!("`{path}` has no address yet, so it cannot be asked; contact its owner");
        return Err(Error::new(ErrorCode::Unavailable, text));
    }
    let named = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Ok(EndpointRef {
        url: endpoint.url.clone(),
        slug: endpoint.slug.clone(),
        name: endpoint.name.clone(),
        tenant_name: named(&endpoint.tenant_name),
        owner_username: Some(endpoint.owner_username.to_lowercase()),
        query_override: None,
        connection: Connection::of(&endpoint.connection_type),
        upstream_model: named(&endpoint.upstream_model),
    })
}

fn text_of(credential: Option<&Secret>) -> String {
    credential.map(|credential| credential.expose().to_owned()).unwrap_or_default()
}
