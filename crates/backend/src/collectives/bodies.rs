//! What clients send about collectives: read field by field, every failing one reported in one answer. The
//! structs describe the same for the API document.

use serde_json::Value;
use syfthub_domain::{EndpointId, Result, Slug, Tag};
use syfthub_web::Fields;
use syfthub_web::fields::{Field, Patch};
use utoipa::ToSchema;

use crate::endpoints::input::clean_tags;
use crate::endpoints::policies::MAX_TAGS;
use crate::web_address;

/// Most endpoints that one shared endpoint holds.
const MAX_SHARED: usize = 1_000;

/// A new collective.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the document's description of a body that is read field by field")]
pub(crate) struct NewCollective {
    /// Display name.
    #[schema(min_length = 1, max_length = 100, example = "Open climate data")]
    name: String,
    /// Second half of its path; made from the name when absent. A few words are reserved.
    #[schema(
        min_length = 3,
        max_length = 63,
        pattern = "^[a-z0-9]+(-[a-z0-9]+)*$",
        example = "open-climate-data"
    )]
    slug: Option<String>,
    /// One or two sentences.
    #[schema(max_length = 500)]
    description: Option<String>,
    /// Markdown.
    #[schema(max_length = 50000)]
    about: Option<String>,
    /// Whether who asks to join belongs to it at once.
    #[schema(default = false)]
    auto_approve: Option<bool>,
    /// A picture.
    #[schema(
        max_length = 500,
        pattern = "^https?://(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9][A-Za-z0-9.-]*)(:[0-9]{1,5})?([/?#][!-~]*)?$",
        example = "https://example.org/icon.png"
    )]
    icon_url: Option<String>,
    /// At most ten different ones.
    #[schema(max_items = 10, example = json!(["climate", "open-data"]))]
    tags: Option<Vec<CollectiveTag>>,
}

/// Letters, digits and single hyphens; stored in lower case. Empty ones are left out.
#[derive(Debug, ToSchema)]
#[schema(max_length = 30, pattern = "^([A-Za-z0-9]+(-[A-Za-z0-9]+)*)?$")]
#[expect(dead_code, reason = "the document's description of a body that is read field by field")]
pub(crate) struct CollectiveTag(String);

/// A change to a collective. What is absent stays as it is; only `icon_url` may be null, which clears it.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the document's description of a body that is read field by field")]
pub(crate) struct CollectiveChange {
    /// Display name.
    #[schema(min_length = 1, max_length = 100, nullable = false)]
    name: Option<String>,
    /// One or two sentences.
    #[schema(max_length = 500, nullable = false)]
    description: Option<String>,
    /// Markdown.
    #[schema(max_length = 50000, nullable = false)]
    about: Option<String>,
    /// Whether who asks to join belongs to it at once.
    #[schema(nullable = false)]
    auto_approve: Option<bool>,
    /// A picture; null removes it.
    #[schema(
        max_length = 500,
        pattern = "^https?://(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9][A-Za-z0-9.-]*)(:[0-9]{1,5})?([/?#][!-~]*)?$",
        example = "https://example.org/icon.png"
    )]
    icon_url: Option<String>,
    /// At most ten different ones.
    #[schema(max_items = 10, nullable = false, example = json!(["climate", "open-data"]))]
    tags: Option<Vec<CollectiveTag>>,
}

/// Names an endpoint.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the document's description of a body that is read field by field")]
pub(crate) struct EndpointChoice {
    /// The endpoint.
    #[schema(minimum = 1, example = 1)]
    endpoint_id: i64,
}

/// Names an endpoint by its path.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the document's description of a body that is read field by field")]
pub(crate) struct EndpointByPath {
    /// First half of the path.
    #[schema(min_length = 1, max_length = 50, example = "ada")]
    owner_username: String,
    /// Second half of the path.
    #[schema(min_length = 1, max_length = 63, example = "my-notes")]
    slug: String,
}

/// The collective's answer to a request.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the document's description of a body that is read field by field")]
pub(crate) struct Review {
    /// `approve` or `reject`.
    #[schema(pattern = "^(approve|reject)$", example = "approve")]
    decision: String,
}

/// The endpoint owner's answer to an invitation.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the document's description of a body that is read field by field")]
pub(crate) struct Response {
    /// `accept` or `decline`.
    #[schema(pattern = "^(accept|decline)$", example = "accept")]
    decision: String,
}

/// A new shared endpoint.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the document's description of a body that is read field by field")]
pub(crate) struct NewSharedEndpoint {
    /// Display name.
    #[schema(min_length = 1, max_length = 100, example = "Weather")]
    name: String,
    /// Last part of its path; made from the name when absent. `all` is reserved.
    #[schema(min_length = 1, max_length = 63, pattern = "^[a-z0-9]+(-[a-z0-9]+)*$", example = "weather")]
    slug: Option<String>,
    /// One or two sentences.
    #[schema(max_length = 500)]
    description: Option<String>,
    /// Approved members of the collective, in the order in which they are shown.
    #[schema(min_items = 1, max_items = 1000, example = json!([1]))]
    endpoint_ids: Vec<i64>,
}

/// A change to a shared endpoint. What is absent stays as it is; null is refused. The slug never changes.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the document's description of a body that is read field by field")]
pub(crate) struct SharedEndpointChange {
    /// Display name.
    #[schema(min_length = 1, max_length = 100, nullable = false)]
    name: Option<String>,
    /// One or two sentences.
    #[schema(max_length = 500, nullable = false)]
    description: Option<String>,
    /// Approved members of the collective, in place of those that are there.
    #[schema(min_items = 1, max_items = 1000, nullable = false, example = json!([1]))]
    endpoint_ids: Option<Vec<i64>>,
}

/// A collective to be made, checked.
#[derive(Debug, Clone)]
pub(super) struct Create {
    pub name: String,
    pub slug: Option<Slug>,
    pub description: String,
    pub about: String,
    pub auto_approve: bool,
    pub icon_url: Option<String>,
    pub tags: Vec<Tag>,
}

/// A change to a collective, checked; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub(super) struct Update {
    pub name: Option<String>,
    pub description: Option<String>,
    pub about: Option<String>,
    pub auto_approve: Option<bool>,
    pub icon_url: Patch<String>,
    pub tags: Option<Vec<Tag>>,
}

/// A shared endpoint to be made, checked.
#[derive(Debug, Clone)]
pub(super) struct CreateShared {
    pub name: String,
    pub slug: Option<Slug>,
    pub description: String,
    pub endpoints: Vec<EndpointId>,
}

/// A change to a shared endpoint, checked; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub(super) struct UpdateShared {
    pub name: Option<String>,
    pub description: Option<String>,
    pub endpoints: Option<Vec<EndpointId>>,
}

pub(super) fn create(body: Value) -> Result<Create> {
    let mut fields = Fields::body(body)?;
    let name = fields.string("name").length(1, 100).required();
    let slug = fields.string("slug").name(Slug::parse_collective).optional();
    let description = fields.string("description").length(0, 500).optional();
    let about = fields.string("about").length(0, 50_000).optional();
    let auto_approve = fields.boolean("auto_approve").optional();
    let icon_url = icon(&mut fields).optional();
    let tags = tags(&mut fields).optional();
    let valid = fields.finish()?;
    Ok(Create {
        name: name.take(&valid),
        slug,
        description: description.unwrap_or_default(),
        about: about.unwrap_or_default(),
        auto_approve: auto_approve.unwrap_or(false),
        icon_url,
        tags: tags.as_deref().map(cleaned).unwrap_or_default(),
    })
}

pub(super) fn update(body: Value) -> Result<Update> {
    let mut fields = Fields::body(body)?;
    let update = Update {
        name: fields.string("name").length(1, 100).patch_not_null(),
        description: fields.string("description").length(0, 500).patch_not_null(),
        about: fields.string("about").length(0, 50_000).patch_not_null(),
        auto_approve: fields.boolean("auto_approve").patch_not_null(),
        icon_url: icon(&mut fields).patch(),
        tags: tags(&mut fields).patch_not_null().as_deref().map(cleaned),
    };
    fields.finish()?;
    Ok(update)
}

fn icon(fields: &mut Fields) -> Field<'_, String> {
    fields.string("icon_url").length(0, 500).rule(|text| web_address::check(text))
}

fn tags(fields: &mut Fields) -> Field<'_, Vec<String>> {
    fields.strings("tags").items(0, MAX_TAGS).rule(|tags| clean_tags(tags).map(drop))
}

/// Tags that [`clean_tags`] has let through.
fn cleaned(tags: &[String]) -> Vec<Tag> {
    clean_tags(tags).unwrap_or_default().into_iter().map(Tag::from_trusted).collect()
}

pub(super) fn endpoint(body: Value) -> Result<EndpointId> {
    let mut fields = Fields::body(body)?;
    let id = fields.int("endpoint_id").at_least(1).required();
    let valid = fields.finish()?;
    Ok(EndpointId(id.take(&valid)))
}

/// Reads owner and slug, both as they are kept.
pub(super) fn path(body: Value) -> Result<(String, String)> {
    let mut fields = Fields::body(body)?;
    let owner = fields.string("owner_username").length(1, 50).required();
    let slug = fields.string("slug").length(1, 63).required();
    let valid = fields.finish()?;
    Ok((owner.take(&valid).to_lowercase(), slug.take(&valid).to_lowercase()))
}

/// Reads a decision; true for `yes`.
pub(super) fn decision(body: Value, yes: &'static str, no: &'static str) -> Result<bool> {
    let mut fields = Fields::body(body)?;
    let decision = fields
        .string("decision")
        .rule(|text| match text {
            text if text == yes || text == no => Ok(()),
            _ => Err(format!("must be '{yes}' or '{no}'")),
        })
        .required();
    let valid = fields.finish()?;
    Ok(decision.take(&valid) == yes)
}

pub(super) fn create_shared(body: Value) -> Result<CreateShared> {
    let mut fields = Fields::body(body)?;
    let name = fields.string("name").length(1, 100).required();
    let slug = fields.string("slug").name(Slug::parse_shared).optional();
    let description = fields.string("description").length(0, 500).optional();
    let endpoints = endpoint_ids(&mut fields).required();
    let valid = fields.finish()?;
    Ok(CreateShared {
        name: name.take(&valid),
        slug,
        description: description.unwrap_or_default(),
        endpoints: ids(&endpoints.take(&valid)),
    })
}

pub(super) fn update_shared(body: Value) -> Result<UpdateShared> {
    let mut fields = Fields::body(body)?;
    let update = UpdateShared {
        name: fields.string("name").length(1, 100).patch_not_null(),
        description: fields.string("description").length(0, 500).patch_not_null(),
        endpoints: endpoint_ids(&mut fields).patch_not_null().map(|list| ids(&list)),
    };
    fields.finish()?;
    Ok(update)
}

fn endpoint_ids(fields: &mut Fields) -> Field<'_, Vec<i64>> {
    fields.ints("endpoint_ids").items(1, MAX_SHARED)
}

/// Without repetitions, in the given order.
fn ids(list: &[i64]) -> Vec<EndpointId> {
    let mut seen = std::collections::HashSet::new();
    list.iter().copied().filter(|id| seen.insert(*id)).map(EndpointId).collect()
}
