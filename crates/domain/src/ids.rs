//! Integer identifiers of the tables that the published SDKs read (`BIGINT` identity, never reused).

use serde::{Deserialize, Serialize};

macro_rules! integer_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<i64> for $name {
            fn from(value: i64) -> Self {
                Self(value)
            }
        }
    };
}

integer_id! {
    /// Row id in `users`.
    UserId
}
integer_id! {
    /// Row id in `endpoints`.
    EndpointId
}
integer_id! {
    /// Row id in `api_tokens` (personal access tokens).
    ApiTokenId
}
integer_id! {
    /// Row id in `collectives`.
    CollectiveId
}
integer_id! {
    /// Row id in `collective_shared_endpoints`.
    SharedEndpointId
}
integer_id! {
    /// Row id in `user_aggregators`.
    AggregatorId
}
integer_id! {
    /// Row id in `user_xendit_subscriptions`.
    SubscriptionId
}
