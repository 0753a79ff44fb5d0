//! What clients send about endpoints, for the API document. `input.rs` reads it field by field.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// What an endpoint is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = EndpointType)]
#[expect(dead_code, reason = "describes a value that is read as text")]
pub(in crate::endpoints) enum EndpointTypeName {
    /// Answers questions.
    Model,
    /// Finds documents.
    DataSource,
    /// Does both.
    ModelDataSource,
    /// Acts; an MCP server is one.
    Agent,
}

/// Who may see an endpoint.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Visibility)]
#[expect(dead_code, reason = "describes a value that is read as text")]
pub(in crate::endpoints) enum VisibilityName {
    /// Everybody.
    Public,
    /// Its owner and admins.
    Private,
    /// Its owner and admins.
    Internal,
}

/// A rule or a price.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::endpoints) struct Policy {
    /// What kind of rule, for example `rate_limit`.
    #[schema(min_length = 1, max_length = 100)]
    #[serde(rename = "type")]
    pub kind: String,
    /// Version of the kind; 1.0 if not given.
    #[schema(min_length = 3, max_length = 20, pattern = r"^[0-9]+\.[0-9]+$", example = "1.0")]
    #[serde(default)]
    pub version: String,
    /// Whether it is in force; it is if nothing is said.
    #[serde(default)]
    pub enabled: bool,
    /// A few words about it.
    #[schema(max_length = 500)]
    #[serde(default)]
    pub description: String,
    /// The publisher's own settings, returned as they were sent.
    #[schema(value_type = Object)]
    #[serde(default)]
    pub config: Map<String, Value>,
}

/// Where an endpoint is served.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::endpoints) struct Connection {
    /// What kind of connection, for example `http` or `mcp`.
    #[schema(min_length = 1, max_length = 50, example = "http")]
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it may be used; it may if nothing is said.
    #[serde(default)]
    pub enabled: bool,
    /// A few words about it.
    #[schema(max_length = 500)]
    #[serde(default)]
    pub description: String,
    /// Settings; `url` is the path below the owner's domain, or a full address.
    #[schema(value_type = Object)]
    #[serde(default)]
    pub config: Map<String, Value>,
}

/// A new endpoint.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"name": "My notes", "type": "data_source", "connect": [{"type": "http", "config": {"url": "/"}}]}))]
pub(in crate::endpoints) struct EndpointCreate {
    /// Display name.
    #[schema(min_length = 1, max_length = 100, example = "My notes")]
    pub name: String,
    /// What it is; never changes.
    #[serde(rename = "type")]
    pub kind: EndpointTypeName,
    /// Second half of `owner/slug`; never changes. Derived from the name if not given. Some words are reserved.
    #[schema(min_length = 3, max_length = 63, pattern = "^[a-z0-9]+(-[a-z0-9]+)*$")]
    pub slug: Option<String>,
    /// One or two sentences.
    #[schema(max_length = 500)]
    pub description: Option<String>,
    /// Who may see it; everybody if nothing is said.
    pub visibility: Option<VisibilityName>,
    /// Whether it is retired; it is private then.
    pub archived: Option<bool>,
    /// Version of three numbers; 0.1.0 if not given.
    #[schema(min_length = 5, max_length = 20, pattern = r"^[0-9]+\.[0-9]+\.[0-9]+$", example = "1.2.3")]
    pub version: Option<String>,
    /// Markdown.
    #[schema(max_length = 50_000)]
    pub readme: Option<String>,
    /// At most ten; stored in lower case, without repetitions.
    #[schema(max_items = 10, max_length = 30, pattern = r"^([A-Za-z0-9]+(-[A-Za-z0-9]+)*)?$")]
    pub tags: Option<Vec<String>>,
    /// Rules and prices.
    #[schema(max_items = 100)]
    pub policies: Option<Vec<Policy>>,
    /// Where it is served.
    #[schema(max_items = 100)]
    pub connect: Option<Vec<Connection>>,
    /// Ids of users who made it; those that do not exist are left out, the caller is added.
    #[schema(max_items = 100)]
    pub contributors: Option<Vec<i64>>,
}

/// A change to an endpoint; what is not named, or null, stays.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"description": "new words"}))]
pub(in crate::endpoints) struct EndpointUpdate {
    /// Display name.
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// One or two sentences.
    #[schema(max_length = 500)]
    pub description: Option<String>,
    /// Who may see it.
    pub visibility: Option<VisibilityName>,
    /// Whether it is retired; it is private then.
    pub archived: Option<bool>,
    /// Version of three numbers.
    #[schema(min_length = 5, max_length = 20, pattern = r"^[0-9]+\.[0-9]+\.[0-9]+$", example = "1.2.3")]
    pub version: Option<String>,
    /// Markdown.
    #[schema(max_length = 50_000)]
    pub readme: Option<String>,
    /// At most ten; stored in lower case, without repetitions.
    #[schema(max_items = 10, max_length = 30, pattern = r"^([A-Za-z0-9]+(-[A-Za-z0-9]+)*)?$")]
    pub tags: Option<Vec<String>>,
    /// Rules and prices.
    #[schema(max_items = 100)]
    pub policies: Option<Vec<Policy>>,
    /// Where it is served.
    #[schema(max_items = 100)]
    pub connect: Option<Vec<Connection>>,
    /// Ids of users who made it; the owner stays among them.
    #[schema(max_items = 100)]
    pub contributors: Option<Vec<i64>>,
}

/// What an admin sets.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"is_active": true, "stars_count": 0}))]
pub(in crate::endpoints) struct EndpointAdminUpdate {
    /// Whether it is listed.
    pub is_active: Option<bool>,
    /// How many stars it shows.
    #[schema(minimum = 0, maximum = 9_223_372_036_854_775_807i64)]
    pub stars_count: Option<i64>,
}

/// All endpoints that there are to be.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"endpoints": [{"name": "My notes", "type": "data_source"}]}))]
pub(in crate::endpoints) struct SyncRequest {
    /// At most 300.
    #[schema(max_items = 300)]
    pub endpoints: Vec<EndpointCreate>,
}

/// What to look for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"query": "weather history", "top_k": 10, "type": "data_source"}))]
pub(in crate::endpoints) struct SearchRequest {
    /// Words; the last one may be unfinished, and they may hold typing errors.
    #[schema(min_length = 1, max_length = 1000)]
    pub query: String,
    /// Most results; 10 if not given.
    #[schema(minimum = 1, maximum = 50)]
    #[serde(default)]
    pub top_k: i64,
    /// Only these; `model` and `data_source` include `model_data_source`.
    #[serde(rename = "type")]
    pub kind: Option<EndpointTypeName>,
}
