//! `discover_syfthub_endpoints`.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use syfthub_domain::Result;
use syfthub_proto::common::EndpointType;
use syfthub_proto::directory::{Endpoint, ListEndpointsRequest, SearchEndpointsRequest};
use syfthub_rpc::{stubs, with_deadline};
use syfthub_web::Fields;
use url::{Host, Url};

use super::{Outcome, Tools, error_of};
use crate::access::Caller;

/// The name that clients' configurations know.
pub(crate) const NAME: &str = "discover_syfthub_endpoints";

const DEADLINE: Duration = Duration::from_secs(20);
const DEFAULT_LIMIT: i64 = 50;
/// Most results of a search, as `directory.v1` has it.
const MAX_FOUND: u32 = 50;
const MAX_DESCRIPTION: usize = 200;
const MAX_CELL: usize = 100;

/// The arguments.
pub(crate) struct Request {
    query: String,
    kind: EndpointType,
    limit: u32,
}

impl Request {
    pub(crate) fn read(mut fields: Fields) -> Result<Self> {
        let query = fields.string("query").trimmed().length(0, 200).optional();
        let kind: Option<syfthub_domain::EndpointType> =
            fields.string("type").choice(&["model", "data_source"]).optional();
        let limit = fields.int("limit").range(1, 100).optional().unwrap_or(DEFAULT_LIMIT);
        fields.finish()?;
        Ok(Self {
            query: query.unwrap_or_default(),
            kind: kind.map_or(EndpointType::Unspecified, EndpointType::from),
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
        })
    }
}

/// Asks the directory as the caller may see it.
pub(crate) async fn run(tools: &Tools, caller: &Caller, request: Request) -> Outcome {
    match find(tools, caller, request).await {
        Ok((endpoints, total)) => Outcome::Good(told(&endpoints, total, tools)),
        Err(error) => {
            tools.failed(NAME, &error);
            Outcome::Bad(json!({
                "success": false,
                "error": error.message,
                "formatted_output": format!("The endpoints could not be listed: {}", error.message),
                "models": [],
                "data_sources": [],
                "total_endpoints": 0,
                "timestamp": tools.clock.now(),
            }))
        }
    }
}

async fn find(tools: &Tools, caller: &Caller, request: Request) -> Result<(Vec<Endpoint>, i64)> {
    let mut directory = stubs::directory_client(tools.hub.clone());
    let credential = caller.credential.expose().to_owned();
    let kind = request.kind.into();
    if request.query.is_empty() {
        let question = ListEndpointsRequest {
            credential,
            skip: 0,
            limit: request.limit,
            r#type: kind,
            include_own: false,
        };
        let question = with_deadline(tonic::Request::new(question), DEADLINE);
        let found = directory.list_endpoints(question).await.map_err(|refused| error_of(&refused))?;
        let found = found.into_inner();
        return Ok((found.endpoints, found.total));
    }
    let top_k = request.limit.min(MAX_FOUND);
    let question = SearchEndpointsRequest { credential, query: request.query, top_k, r#type: kind };
    let question = with_deadline(tonic::Request::new(question), DEADLINE);
    let found = directory.search_endpoints(question).await.map_err(|refused| error_of(&refused))?;
    let endpoints: Vec<Endpoint> =
        found.into_inner().results.into_iter().filter_map(|scored| scored.endpoint).collect();
    let total = i64::try_from(endpoints.len()).unwrap_or(i64::MAX);
    Ok((endpoints, total))
}

fn told(endpoints: &[Endpoint], total: i64, tools: &Tools) -> Value {
    let models: Vec<&Endpoint> = endpoints
        .iter()
        .filter(|e| matches!(e.r#type(), EndpointType::Model | EndpointType::ModelDataSource))
        .collect();
    let sources: Vec<&Endpoint> = endpoints
        .iter()
        .filter(|e| matches!(e.r#type(), EndpointType::DataSource | EndpointType::ModelDataSource))
        .collect();
    let described = |list: &[&Endpoint]| list.iter().map(|e| describe(e)).collect::<Vec<Value>>();
    json!({
        "success": true,
        "formatted_output": markdown(&models, &sources, total),
        "models": described(&models),
        "data_sources": described(&sources),
        "total_endpoints": total,
        "timestamp": tools.clock.now(),
    })
}

fn describe(endpoint: &Endpoint) -> Value {
    let description: String = endpoint.description.chars().take(MAX_DESCRIPTION).collect();
    json!({
        "path": path(endpoint),
        "name": endpoint.name,
        "description": description,
        "owner": endpoint.owner_username,
        "has_url": !endpoint.url.is_empty(),
        "url": public_url(&endpoint.url),
        "slug": endpoint.slug,
        "tenant_name": endpoint.tenant_name,
    })
}

fn path(endpoint: &Endpoint) -> String {
    format!("{}/{}", endpoint.owner_username, endpoint.slug)
}

/// The address, unless it is one of a private network: those are nobody's business.
pub(super) fn public_url(text: &str) -> Option<&str> {
    let url = Url::parse(text).ok()?;
    let public = match url.host()? {
        Host::Domain(name) => {
            name.contains('.')
                && ![".local", ".internal", ".localhost", ".lan"].iter().any(|end| name.ends_with(end))
        }
        Host::Ipv4(ip) => !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified()),
        Host::Ipv6(ip) => {
            !(ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local())
        }
    };
    public.then_some(text)
}

fn markdown(models: &[&Endpoint], sources: &[&Endpoint], total: i64) -> String {
    let mut text = String::new();
    for (title, list) in [("Models", models), ("Data sources", sources)] {
        let _ = writeln!(text, "## {title}\n");
        if list.is_empty() {
            let _ = writeln!(text, "None.\n");
            continue;
        }
        let _ = writeln!(text, "| Path | Name | Description | State |\n|---|---|---|---|");
        for endpoint in list {
            let state = if endpoint.url.is_empty() { "no URL" } else { "ready" };
            let (name, description) = (cell(&endpoint.name), cell(&endpoint.description));
            let _ = writeln!(text, "| `{}` | {name} | {description} | {state} |", path(endpoint));
        }
        text.push('\n');
    }
    let _ = write!(
        text,
        "{} models, {} data sources shown; {total} endpoints in all.",
        models.len(),
        sources.len()
    );
    text
}

/// Text that cannot break out of its table cell.
fn cell(text: &str) -> String {
    let flat: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_CELL).collect();
    flat.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_not_told() {
        for url in
            ["http://127.0.0.1:8010", "http://10.0.0.3/x", "http://node:8010", "http://a.internal", "", "x"]
        {
            assert_eq!(public_url(url), None, "{url}");
        }
        for url in ["https://node.example.org", "http://203.0.113.5:8010"] {
            assert_eq!(public_url(url), Some(url));
        }
    }

    #[test]
    fn a_cell_stays_one_cell() {
        assert_eq!(cell("a|b\nc"), "a\\|b c");
    }
}
