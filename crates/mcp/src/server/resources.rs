//! The resources: every endpoint that the caller may see, as `syfthub://owner/slug`.

use std::fmt::Write as _;
use std::time::Duration;

use rmcp::ErrorData;
use rmcp::model::{
    CompleteRequestParams, CompletionInfo, ReadResourceResult, Reference, Resource, ResourceContents,
    ResourceTemplate,
};
use serde_json::{Map, Value, json};
use syfthub_domain::ErrorCode;
use syfthub_proto::directory::{Endpoint, ListEndpointsRequest};
use syfthub_proto::tools::CompletePathRequest;
use syfthub_rpc::{stubs, with_deadline};

use super::errors;
use crate::access::Caller;
use crate::tools::{Tools, endpoint, error_of};

/// The template of all of them.
const TEMPLATE: &str = "syfthub://{owner}/{slug}";
const MARKDOWN: &str = "text/markdown";
const DEADLINE: Duration = Duration::from_secs(10);
/// Endpoints of one page, as `directory.v1` has it.
const PAGE: u32 = 100;

/// A page of endpoints, and where the next one begins.
pub(super) async fn list(
    tools: &Tools,
    caller: &Caller,
    skip: u32,
) -> Result<(Vec<Resource>, Option<u32>), ErrorData> {
    let request = ListEndpointsRequest {
        credential: caller.credential.expose().to_owned(),
        skip,
        limit: PAGE,
        include_own: true,
        ..ListEndpointsRequest::default()
    };
    let request = with_deadline(tonic::Request::new(request), DEADLINE);
    let found = stubs::directory_client(tools.hub.clone())
        .list_endpoints(request)
        .await
        .map_err(|refused| errors::of(&error_of(&refused)))?
        .into_inner();
    // What is only the caller's own comes on top of the first page; it moves no place on the next.
    let listed = found.endpoints.len().min(PAGE as usize);
    let next = super::next_page(skip, listed, found.total);
    Ok((found.endpoints.iter().map(resource).collect(), next))
}

fn resource(found: &Endpoint) -> Resource {
    let path = format!("{}/{}", found.owner_username, found.slug);
    Resource::new(endpoint::uri(&path), path)
        .with_title(found.name.clone())
        .with_description(found.description.clone())
        .with_mime_type(MARKDOWN)
}

/// The one template.
pub(super) fn templates() -> Vec<ResourceTemplate> {
    let template = ResourceTemplate::new(TEMPLATE, "endpoint").with_title("Endpoint");
    vec![template.with_description("An endpoint's README and facts, by its path").with_mime_type(MARKDOWN)]
}

/// An endpoint's README with its facts above it, and all of it as JSON.
pub(super) async fn read(tools: &Tools, caller: &Caller, uri: &str) -> Result<ReadResourceResult, ErrorData> {
    let unknown = || ErrorData::resource_not_found("Resource not found", Some(json!({"uri": uri})));
    let path = endpoint::path_of(uri).ok_or_else(unknown)?;
    let found = match endpoint::find(tools, caller, &path.to_string()).await {
        Ok(found) => found,
        Err(error) if error.code == ErrorCode::NotFound => return Err(unknown()),
        Err(error) => return Err(errors::of(&error)),
    };
    let page = ResourceContents::text(page(&found), uri).with_mime_type(MARKDOWN);
    let facts = Value::Object(found).to_string();
    let facts = ResourceContents::text(facts, uri).with_mime_type("application/json");
    Ok(ReadResourceResult::new(vec![page, facts]))
}

fn page(found: &Map<String, Value>) -> String {
    let text = |key: &str| found.get(key).and_then(Value::as_str).unwrap_or_default();
    let tags = found.get("tags").and_then(Value::as_array).into_iter().flatten();
    let tags: Vec<&str> = tags.filter_map(Value::as_str).collect();
    let health = found.get("health_status").and_then(Value::as_str).unwrap_or("unknown");
    let mut page = format!("# {}\n\n", text("name"));
    for (name, value) in [
        ("Path", text("path")),
        ("Type", text("type")),
        ("Version", text("version")),
        ("Tags", &tags.join(", ")),
        ("Health", health),
    ] {
        if !value.is_empty() {
            let _ = writeln!(page, "* {name}: {value}");
        }
    }
    for part in [text("description"), text("readme")] {
        if !part.trim().is_empty() {
            let _ = write!(page, "\n{}\n", part.trim());
        }
    }
    page
}

/// Owners and slugs that begin so; nothing for what has no completion.
pub(super) async fn complete(
    tools: &Tools,
    caller: &Caller,
    asked: CompleteRequestParams,
) -> Result<CompletionInfo, ErrorData> {
    let known = match &asked.r#ref {
        Reference::Resource(template) => template.uri == TEMPLATE,
        _ => false,
    };
    let owner = match asked.argument.name.as_str() {
        "owner" if known => None,
        "slug" if known => {
            let given = asked.context.as_ref().and_then(|context| context.get_argument("owner"));
            Some(given.cloned().unwrap_or_default())
        }
        _ => return Ok(CompletionInfo::default()),
    };
    let request = CompletePathRequest {
        credential: caller.credential.expose().to_owned(),
        owner,
        prefix: asked.argument.value,
    };
    let request = with_deadline(tonic::Request::new(request), DEADLINE);
    let found = stubs::tools_client(tools.hub.clone())
        .complete_path(request)
        .await
        .map_err(|refused| errors::of(&error_of(&refused)))?
        .into_inner();
    CompletionInfo::with_pagination(found.values, None, found.has_more)
        .map_err(|why| ErrorData::internal_error(why, None))
}
