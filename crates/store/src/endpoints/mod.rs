//! Endpoints: what people publish, with tags, contributors, stars and health.

mod change;
mod checks;
mod complete;
mod health;
mod listing;
mod resolve;
mod stars;

use serde_json::Value;
use syfthub_domain::{
    EndpointId, EndpointType, HealthStatus, Slug, Tag, Timestamp, UserId, Username, Version, Visibility,
};

use crate::Error;
use crate::column::row;

pub use change::{
    EndpointChange, NewEndpoint, delete, delete_by_owner, insert, insert_many, lock, set_admin_flags, update,
};
pub use checks::{
    CheckedEndpoint, HealthChange, apply_health, check_owner_by, checks_of, due_checks, is_check_due,
    reschedule,
};
pub use complete::{Names, complete};
pub use health::{HealthReport, HealthState, apply_health_report, health_states, set_heartbeat};
pub use listing::{
    GroupedEndpoint, MAX_GROUPED_BYTES, OwnerFilter, OwnerSummary, PublicFilter, Sort, count_owners,
    count_public, grouped, list_by_owner, list_guest_accessible, list_owners, list_public,
    list_public_by_owner, list_trending,
};
pub use resolve::{
    count_by_owner, find_by_id, find_by_ids, find_by_owner_and_slug, resolve_many, slug_taken, taken_slugs,
};
pub use stars::{is_starred, star, unstar};

/// An owner does not publish two endpoints under one slug.
pub const UNIQUE_SLUG: &str = "endpoints_user_id_slug_key";
/// An owner does not publish two things of any kind under one name.
pub const UNIQUE_NAME: &str = "published_names_owner_id_name_key";

/// Whether the store refused an endpoint because its slug is taken.
pub fn is_slug_conflict(error: &Error) -> bool {
    error.is_unique(UNIQUE_SLUG) || error.is_unique(UNIQUE_NAME)
}

row! {
    /// A row of `endpoints` with its tags and contributors (spec backend 3.1, 5.1).
    #[derive(Debug, Clone, PartialEq)]
    pub struct EndpointRow {
        /// Row id, never reused.
        pub id: EndpointId,
        /// The owner.
        pub user_id: UserId,
        /// Name for people.
        pub name: String,
        /// Second half of `owner/slug`.
        pub slug: Slug,
        /// A few words.
        pub description: String,
        /// What it is (`type` on the wire).
        pub kind: EndpointType,
        /// Who may see it.
        pub visibility: Visibility,
        /// Off when it was found unreachable.
        pub is_active: bool,
        /// Switched off by an admin; health does not switch it on again.
        pub admin_disabled: bool,
        /// Put away by its owner.
        pub archived: bool,
        /// Failed checks in a row.
        pub consecutive_failure_count: i64,
        /// Result of the newest report or check.
        pub health_status: Option<HealthStatus>,
        /// Time of that report or check.
        pub health_checked_at: Option<Timestamp>,
        /// For how many seconds it counts as fresh.
        pub health_ttl_seconds: Option<i64>,
        /// Version as its owner counts.
        pub version: Version,
        /// Long text, Markdown.
        pub readme: String,
        /// How many stars it has.
        pub stars_count: i64,
        /// Tags in the owner's order.
        pub tags: Vec<Tag>,
        /// Contributors in order, the owner among them.
        pub contributors: Vec<UserId>,
        /// Policies as they were given, keys in their order.
        pub policies: Value,
        /// Connections as they were given, keys in their order.
        pub connect: Value,
        /// Time of publication.
        pub created_at: Timestamp,
        /// Time of the owner's last change; health and stars do not touch it.
        pub updated_at: Timestamp,
    }
}

row! {
    /// An endpoint with what is shown or checked about its owner.
    #[derive(Debug, Clone, PartialEq)]
    pub struct EndpointWithOwner {
        /// First half of `owner/slug`.
        pub owner_username: Username,
        /// Address of the owner, for policies that name people.
        pub owner_email: String,
        /// Where the owner's endpoints are served.
        pub owner_domain: Option<String>,
        /// Whether the owner's account may be used.
        pub owner_is_active: bool,
    }
    flatten {
        /// The endpoint itself.
        pub endpoint: EndpointRow,
    }
}

impl EndpointWithOwner {
    /// Whether anybody may see it: public, switched on by everybody who can switch, owner active.
    pub fn is_listed(&self) -> bool {
        self.endpoint.visibility == Visibility::Public
            && self.endpoint.is_active
            && !self.endpoint.admin_disabled
            && self.owner_is_active
    }

    /// `owner/slug`.
    pub fn path(&self) -> String {
        format!("{}/{}", self.owner_username, self.endpoint.slug)
    }
}

/// Columns of [`EndpointWithOwner`]; `e` is the endpoint and `u` its owner.
macro_rules! columns {
    () => {
        "e.id, e.user_id, e.name, e.slug, e.description, e.type AS kind, e.visibility, e.is_active, \
         e.admin_disabled, e.archived, e.consecutive_failure_count, e.health_status, e.health_checked_at, \
         e.health_ttl_seconds, e.version, e.readme, e.stars_count, e.policies, e.connect, e.created_at, \
         e.updated_at, \
         COALESCE((SELECT string_agg(t.tag, ',' ORDER BY t.position) FROM endpoint_tags t \
                   WHERE t.endpoint_id = e.id), '') AS tags, \
         COALESCE((SELECT string_agg(CAST(c.user_id AS TEXT), ',' ORDER BY c.position) \
                   FROM endpoint_contributors c WHERE c.endpoint_id = e.id), '') AS contributors, \
         u.username AS owner_username, u.email AS owner_email, u.domain AS owner_domain, \
         u.is_active AS owner_is_active"
    };
}

/// The two tables of every endpoint query.
macro_rules! tables {
    () => {
        " FROM endpoints e JOIN users u ON u.id = e.user_id "
    };
}

/// What anybody may see; the SQL twin of [`EndpointWithOwner::is_listed`].
macro_rules! listed {
    () => {
        " e.visibility = 'public' AND e.is_active = TRUE AND e.admin_disabled = FALSE AND u.is_active = TRUE "
    };
}

/// The inclusive type filter on a nullable parameter: `model` and `data_source` let the combined type through.
macro_rules! of_kind {
    ($parameter:literal) => {
        concat!(
            " (",
            $parameter,
            " IS NULL OR e.type = ",
            $parameter,
            " OR (e.type = 'model_data_source' AND ",
            $parameter,
            " IN ('model', 'data_source'))) "
        )
    };
}

pub(crate) use {columns, listed, of_kind, tables};
