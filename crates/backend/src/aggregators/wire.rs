//! The JSON of chosen aggregators.

use serde::Serialize;
use syfthub_domain::Timestamp;
use syfthub_store::aggregators::AggregatorRow;
use utoipa::ToSchema;

/// An aggregator that a user chose.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct UserAggregator {
    /// Row id.
    pub id: i64,
    /// Whose it is.
    pub user_id: i64,
    /// What the user calls it.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Whether clients use it when no other is named.
    pub is_default: bool,
    /// When it was added.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

impl From<AggregatorRow> for UserAggregator {
    fn from(row: AggregatorRow) -> Self {
        Self {
            id: row.id.0,
            user_id: row.user_id.0,
            name: row.name,
            url: row.url,
            is_default: row.is_default,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// The list with what is known about it, for `?envelope=1`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct UserAggregators {
    /// Newest first.
    pub aggregators: Vec<UserAggregator>,
    /// The default, if there is one.
    pub default_aggregator_id: Option<i64>,
}

/// The user's aggregators: a bare array, or an envelope when it was asked for.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum UserAggregatorList {
    /// Newest first.
    Plain(Vec<UserAggregator>),
    /// With the id of the default.
    Envelope(UserAggregators),
}

/// A new aggregator.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the document's description of a body that is read field by field")]
pub(crate) struct NewUserAggregator {
    /// What the user calls it.
    #[schema(min_length = 1, max_length = 100, example = "At home")]
    name: String,
    /// Where it is: http or https, with a host.
    #[schema(
        min_length = 1,
        max_length = 500,
        pattern = "^https?://(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9][A-Za-z0-9.-]*)(:[0-9]{1,5})?([/?#][!-~]*)?$",
        example = "https://aggregator.example.org"
    )]
    url: String,
    /// Whether it becomes the default; the first one does in any case.
    #[schema(default = false)]
    is_default: Option<bool>,
}

/// A change to an aggregator; what is absent or null stays as it is.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the document's description of a body that is read field by field")]
pub(crate) struct UserAggregatorChange {
    /// What the user calls it.
    #[schema(min_length = 1, max_length = 100, example = "At home")]
    name: Option<String>,
    /// Where it is: http or https, with a host.
    #[schema(
        min_length = 1,
        max_length = 500,
        pattern = "^https?://(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9][A-Za-z0-9.-]*)(:[0-9]{1,5})?([/?#][!-~]*)?$",
        example = "https://aggregator.example.org"
    )]
    url: Option<String>,
    /// Whether it is the default.
    is_default: Option<bool>,
}
