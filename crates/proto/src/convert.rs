//! Enums of the wire to enums of the domain and back. `_UNSPECIFIED` has no domain value.

use syfthub_domain as domain;

use crate::common;

macro_rules! enum_pair {
    ($wire:ty, $domain:ty { $($wire_variant:ident <=> $domain_variant:ident),+ $(,)? }) => {
        impl From<$domain> for $wire {
            fn from(value: $domain) -> Self {
                match value { $(<$domain>::$domain_variant => Self::$wire_variant,)+ }
            }
        }

        impl TryFrom<$wire> for $domain {
            type Error = domain::Error;

            fn try_from(value: $wire) -> Result<Self, Self::Error> {
                match value {
                    $(<$wire>::$wire_variant => Ok(Self::$domain_variant),)+
                    <$wire>::Unspecified => Err(domain::Error::new(
                        domain::ErrorCode::BadRequest,
                        concat!(stringify!($wire), " is not set"),
                    )),
                }
            }
        }
    };
}

enum_pair!(common::Role, domain::Role { Admin <=> Admin, User <=> User, Guest <=> Guest });
enum_pair!(common::CredentialKind, domain::CredentialKind {
    HubToken <=> HubToken,
    AccessToken <=> AccessToken,
    BrowserSession <=> BrowserSession,
    Oauth <=> OAuth,
});
enum_pair!(common::EndpointType, domain::EndpointType {
    Model <=> Model,
    DataSource <=> DataSource,
    ModelDataSource <=> ModelDataSource,
    Agent <=> Agent,
});
