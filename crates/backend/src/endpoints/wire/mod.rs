//! The JSON of endpoints.

pub(super) mod requests;

use serde::Serialize;
use serde_json::Value;
use syfthub_domain::{EndpointType, HealthStatus, Timestamp, Visibility};
use utoipa::ToSchema;

/// An endpoint as its owner and admins see it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Endpoint)]
pub struct FullEndpoint {
    /// Row id.
    pub id: i64,
    /// The owner's id.
    pub user_id: i64,
    /// Display name.
    pub name: String,
    /// Second half of `owner/slug`; never changes.
    pub slug: String,
    /// One or two sentences.
    pub description: String,
    /// What it is; never changes.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "data_source")]
    pub kind: EndpointType,
    /// Who may see it.
    #[schema(value_type = String, example = "public")]
    pub visibility: Visibility,
    /// Whether it is listed; the health monitor turns it off and on.
    pub is_active: bool,
    /// Whether the owner retired it.
    pub archived: bool,
    /// Ids of the users who made it, the owner included.
    pub contributors: Vec<i64>,
    /// Version of three numbers.
    pub version: String,
    /// Markdown; clients sanitise it.
    pub readme: String,
    /// At most ten.
    pub tags: Vec<String>,
    /// How many users starred it.
    pub stars_count: i64,
    /// Rules and prices that apply to the viewer.
    pub policies: Vec<Value>,
    /// Where it is served, with full addresses.
    pub connect: Vec<Value>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the owner last changed it.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// Newest health report or probe.
    #[schema(value_type = Option<String>, example = "healthy")]
    pub health_status: Option<HealthStatus>,
    /// When that was.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub health_checked_at: Option<Timestamp>,
    /// How long it counts, in seconds.
    pub health_ttl_seconds: Option<i64>,
}

/// What everybody may know about an endpoint: no ids, no visibility.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EndpointCard {
    /// Display name.
    pub name: String,
    /// Second half of `owner/slug`.
    pub slug: String,
    /// One or two sentences.
    pub description: String,
    /// What it is.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "model")]
    pub kind: EndpointType,
    /// First half of `owner/slug`.
    pub owner_username: String,
    /// How many users made it.
    pub contributors_count: usize,
    /// Version of three numbers.
    pub version: String,
    /// Markdown; clients sanitise it.
    pub readme: String,
    /// At most ten.
    pub tags: Vec<String>,
    /// How many users starred it.
    pub stars_count: i64,
    /// Rules and prices that apply to the viewer.
    pub policies: Vec<Value>,
    /// Where it is served, with full addresses.
    pub connect: Vec<Value>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the owner last changed it.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// An endpoint as everybody but its owner and admins sees it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EndpointPublic {
    /// The facts that searches show as well.
    #[serde(flatten)]
    pub card: EndpointCard,
    /// Newest health report or probe.
    #[schema(value_type = Option<String>, example = "healthy")]
    pub health_status: Option<HealthStatus>,
    /// When that was.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub health_checked_at: Option<Timestamp>,
    /// Whether the owner retired it.
    pub archived: bool,
}

/// One answer to a search.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SearchResult {
    /// The endpoint.
    #[serde(flatten)]
    pub card: EndpointCard,
    /// How well it fits, 0 to 1.
    pub relevance_score: f64,
}

/// Everything that one search found.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SearchResponse {
    /// Best first.
    pub results: Vec<SearchResult>,
    /// How many there are in `results`.
    pub total: usize,
    /// What was asked.
    pub query: String,
}

/// The endpoints of one owner, of all that are public.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OwnerGroup {
    /// The owner.
    pub owner_username: String,
    /// The newest few.
    pub endpoints: Vec<EndpointPublic>,
    /// How many there are in all.
    pub total_count: i64,
    /// Whether `endpoints` leaves some out.
    pub has_more: bool,
}

/// All groups.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Grouped {
    /// Owners with most endpoints first.
    pub groups: Vec<OwnerGroup>,
}

/// How much one owner has published.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OwnerSummary {
    /// The owner.
    pub username: String,
    /// Public endpoints of every type.
    pub endpoint_count: i64,
    /// Of type `model` exactly.
    pub model_count: i64,
    /// Of type `data_source` exactly.
    pub data_source_count: i64,
}

/// A page of owners.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Owners {
    /// Owners with most endpoints first.
    pub owners: Vec<OwnerSummary>,
    /// How many owners there are in all.
    pub total_count: i64,
}

/// What a replacement of all endpoints did.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Synced {
    /// Endpoints that there are now.
    pub synced: usize,
    /// Endpoints that there were before.
    pub deleted: u64,
    /// The new ones, in the order of the request.
    pub endpoints: Vec<FullEndpoint>,
}

/// Whether a star is there.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Starred {
    /// After POST: whether this call set it. After GET: whether the caller has set it.
    pub starred: bool,
}

/// What a health report changed.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Reported {
    /// Endpoints that were updated.
    pub updated: usize,
    /// Slugs that the caller does not own.
    pub ignored: usize,
}
