//! The words of the product: ids, validated names, enums, the error code table and the clock.
//!
//! No I/O and no async here: every other crate may depend on this one, and it depends on none of ours.

mod error;
pub mod fault;
pub mod field;
mod ids;
mod kinds;
mod names;
mod reserved;
mod time;

pub use error::{Detail, Error, ErrorCode, GrpcCode, Result};
pub use field::{FieldError, Loc};
pub use ids::{AggregatorId, ApiTokenId, CollectiveId, EndpointId, SharedEndpointId, SubscriptionId, UserId};
pub use kinds::{
    AuthProvider, CredentialKind, EndpointType, HealthStatus, MembershipStatus, PaymentStatus, Role, Scope,
    SignInProvider, UnknownName, Visibility,
};
pub use names::{
    Email, EndpointPath, InvalidName, Slug, Tag, Username, Version, derive_slug, derive_username,
};
pub use reserved::{
    ALL_SHARED, RESERVED_COLLECTIVE_SLUGS, RESERVED_OWNERS, RESERVED_SLUGS, SAMPLE_OWNER,
    is_reserved_collective_slug, is_reserved_owner, is_reserved_slug,
};
pub use time::{Clock, FixedClock, SharedClock, SystemClock, Timestamp};
