//! The JSON of collectives.

use serde::Serialize;
use syfthub_domain::{EndpointType, MembershipStatus, Tag, Timestamp};
use syfthub_store::collectives::{ApprovedMember, CollectiveRow, Member, SharedMember, SharedRow};
use utoipa::ToSchema;

/// Data sources of several owners under one name.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Collective {
    /// Row id.
    id: i64,
    /// Who runs it.
    owner_id: i64,
    /// Display name.
    name: String,
    /// Second half of its path; never changes.
    slug: String,
    /// The path that stands for all its members: `collective/` and the slug.
    shared_endpoint_path: String,
    /// One or two sentences.
    description: String,
    /// Markdown; clients sanitise it.
    about: String,
    /// Whether who asks to join belongs to it at once.
    auto_approve: bool,
    /// A picture.
    icon_url: Option<String>,
    /// At most ten.
    tags: Vec<String>,
    /// Whether the hub's operator vouches for it.
    verified: bool,
    /// Approved members.
    member_count: i64,
    /// Owners of the approved members.
    owner_count: i64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When its owner last changed it.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<CollectiveRow> for Collective {
    fn from(row: CollectiveRow) -> Self {
        Self {
            id: row.id.0,
            owner_id: row.owner_id.0,
            name: row.name,
            shared_endpoint_path: format!("collective/{}", row.slug),
            slug: row.slug.into_string(),
            description: row.description,
            about: row.about,
            auto_approve: row.auto_approve,
            icon_url: row.icon_url,
            tags: row.tags.into_iter().map(Tag::into_string).collect(),
            verified: row.verified,
            member_count: row.member_count,
            owner_count: row.owner_count,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// How an endpoint stands to a collective.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct CollectiveMember {
    /// Row id.
    id: i64,
    /// The collective.
    collective_id: i64,
    /// The endpoint.
    endpoint_id: i64,
    /// `pending` (it asked), `invited` (it was asked), `approved` or `rejected`.
    #[schema(value_type = String, example = "approved")]
    status: MembershipStatus,
    /// When one side asked.
    #[schema(value_type = String, format = DateTime)]
    requested_at: Timestamp,
    /// When the other side answered.
    #[schema(value_type = Option<String>, format = DateTime)]
    responded_at: Option<Timestamp>,
    /// Who decided for the collective.
    reviewed_by_user_id: Option<i64>,
    /// The endpoint's name.
    endpoint_name: Option<String>,
    /// The endpoint in a sentence or two.
    endpoint_description: Option<String>,
    /// Second half of the endpoint's path.
    endpoint_slug: Option<String>,
    /// First half of the endpoint's path.
    endpoint_owner_username: Option<String>,
    /// The owner's display name.
    endpoint_owner_full_name: Option<String>,
    /// What the endpoint is.
    #[schema(value_type = Option<String>, example = "data_source")]
    endpoint_type: Option<EndpointType>,
}

impl From<Member> for CollectiveMember {
    fn from(row: Member) -> Self {
        Self {
            id: row.id,
            collective_id: row.collective_id.0,
            endpoint_id: row.endpoint_id.0,
            status: row.status,
            requested_at: row.requested_at,
            responded_at: row.responded_at,
            reviewed_by_user_id: row.reviewed_by_user_id.map(|id| id.0),
            endpoint_name: Some(row.endpoint_name),
            endpoint_description: Some(row.endpoint_description),
            endpoint_slug: Some(row.endpoint_slug.into_string()),
            endpoint_owner_username: Some(row.endpoint_owner_username.into_string()),
            endpoint_owner_full_name: Some(row.endpoint_owner_full_name),
            endpoint_type: Some(row.endpoint_type),
        }
    }
}

/// An endpoint that is shared. Everything but its id is null when the viewer may not see it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct SharedEndpointMember {
    /// The endpoint.
    endpoint_id: i64,
    /// Its name.
    endpoint_name: Option<String>,
    /// Second half of its path.
    endpoint_slug: Option<String>,
    /// First half of its path.
    endpoint_owner_username: Option<String>,
    /// What it is.
    #[schema(value_type = Option<String>, example = "data_source")]
    endpoint_type: Option<EndpointType>,
    /// Whether it still is an approved member of the collective.
    is_active: bool,
}

impl From<SharedMember> for SharedEndpointMember {
    fn from(row: SharedMember) -> Self {
        let shown = row.is_visible;
        Self {
            endpoint_id: row.endpoint_id.0,
            endpoint_name: shown.then_some(row.endpoint_name),
            endpoint_slug: shown.then(|| row.endpoint_slug.into_string()),
            endpoint_owner_username: shown.then(|| row.endpoint_owner_username.into_string()),
            endpoint_type: shown.then_some(row.endpoint_type),
            is_active: row.is_active,
        }
    }
}

/// Some members of a collective under a path of their own.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct SharedEndpoint {
    /// Row id.
    id: i64,
    /// The collective.
    collective_id: i64,
    /// The collective's slug.
    collective_slug: String,
    /// Display name.
    name: String,
    /// Last part of its path; never changes.
    slug: String,
    /// `collective/`, the collective's slug, `/` and its own.
    #[serde(rename = "shared_endpoint_path")]
    path: String,
    /// One or two sentences.
    description: String,
    /// What it holds, in its owner's order.
    members: Vec<SharedEndpointMember>,
    /// How many it holds.
    member_count: usize,
    /// How many of them are approved members of the collective still.
    active_member_count: usize,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl SharedEndpoint {
    /// A row with what it holds.
    pub(super) fn new(row: SharedRow, members: Vec<SharedMember>) -> Self {
        Self {
            id: row.id.0,
            collective_id: row.collective_id.0,
            path: format!("collective/{}/{}", row.collective_slug, row.slug),
            collective_slug: row.collective_slug.into_string(),
            name: row.name,
            slug: row.slug.into_string(),
            description: row.description,
            member_count: members.len(),
            active_member_count: members.iter().filter(|member| member.is_active).count(),
            members: members.into_iter().map(SharedEndpointMember::from).collect(),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// How an endpoint is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BillingKind {
    /// Credits are bought in advance.
    Prepaid,
    /// Each call is paid by machine.
    Mpp,
    /// Nothing is paid.
    Free,
}

/// What a price is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    /// One request.
    Request,
    /// One document of an answer.
    Document,
}

/// An amount of credits that can be bought at once.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Bundle {
    /// What it is called.
    pub(super) name: String,
    /// What it costs.
    pub(super) amount: f64,
}

/// How an endpoint is paid, as its policies say.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Billing {
    /// `prepaid`, `mpp` or `free`.
    pub(super) kind: BillingKind,
    /// Who takes the payment.
    pub(super) provider: Option<String>,
    /// Currency of the price.
    pub(super) currency: Option<String>,
    /// What one unit costs, if the policy says so.
    pub(super) price_per_unit: Option<f64>,
    /// `request` or `document`.
    pub(super) unit: Unit,
    /// Where credits are bought.
    pub(super) payment_url: Option<String>,
    /// Where credits are asked for.
    pub(super) credits_url: Option<String>,
    /// Where invoices are.
    pub(super) invoices_url: Option<String>,
    /// What can be bought at once.
    pub(super) bundles: Vec<Bundle>,
}

/// A member with how it is paid.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct BilledMember {
    /// The endpoint.
    endpoint_id: i64,
    /// Its name.
    endpoint_name: String,
    /// Second half of its path.
    endpoint_slug: String,
    /// First half of its path.
    endpoint_owner_username: String,
    /// The owner's display name.
    endpoint_owner_full_name: String,
    /// What it is.
    #[schema(value_type = String, example = "data_source")]
    endpoint_type: EndpointType,
    /// How it is paid.
    pub(super) billing: Billing,
}

impl BilledMember {
    /// A member with how it is paid.
    pub(super) fn new(row: ApprovedMember, billing: Billing) -> Self {
        Self {
            endpoint_id: row.endpoint_id.0,
            endpoint_name: row.name,
            endpoint_slug: row.slug.into_string(),
            endpoint_owner_username: row.owner_username.into_string(),
            endpoint_owner_full_name: row.owner_full_name,
            endpoint_type: row.kind,
            billing,
        }
    }
}

/// A sum in one currency.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Price {
    /// The currency.
    pub(super) currency: String,
    /// The sum.
    pub(super) amount: f64,
}

/// What the members cost together.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct BillingSummary {
    /// The approved members that the caller sees.
    pub(super) members: Vec<BilledMember>,
    /// What one unit of each costs together, per currency and without conversion.
    pub(super) estimated_price: Vec<Price>,
    /// Members that cost nothing.
    pub(super) free_count: usize,
    /// Members paid in advance.
    pub(super) prepaid_count: usize,
    /// Members paid per call.
    pub(super) mpp_count: usize,
}
