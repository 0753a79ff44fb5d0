//! Closed sets. Their text form is the wire form and the database form.

use serde::{Deserialize, Serialize};

/// A text that names no member of a closed set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected one of {expected}, got `{got}`")]
pub struct UnknownName {
    /// What was given.
    pub got: String,
    /// The members, comma separated.
    pub expected: String,
}

macro_rules! text_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident => $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vmeta])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// Every member, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The wire and database form.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    other => Err(UnknownName {
                        got: other.to_owned(),
                        expected: [$($text),+].join(", "),
                    }),
                }
            }
        }
    };
}

text_enum! {
    /// What an endpoint is (spec backend 3.1). Closed: the published SDKs know exactly these four.
    EndpointType {
        /// Generates text.
        Model => "model",
        /// Returns documents.
        DataSource => "data_source",
        /// Does both.
        ModelDataSource => "model_data_source",
        /// An agent; an MCP tool server is an agent with an `mcp` connection.
        Agent => "agent",
    }
}

impl EndpointType {
    /// Whether a filter for `wanted` lets this type through: `model` and `data_source` include the
    /// combined type, the others match themselves only (spec backend 1.4).
    pub fn matches_filter(self, wanted: Self) -> bool {
        self == wanted || (self == Self::ModelDataSource && matches!(wanted, Self::Model | Self::DataSource))
    }
}

text_enum! {
    /// Who may see an endpoint. `internal` means owner and admin only, everywhere.
    Visibility {
        /// Everybody, guests included.
        Public => "public",
        /// Owner and admin.
        Private => "private",
        /// Owner and admin.
        Internal => "internal",
    }
}

text_enum! {
    /// The role of a user.
    Role {
        /// Runs the hub.
        Admin => "admin",
        /// An ordinary account.
        User => "user",
        /// Somebody without an account.
        Guest => "guest",
    }
}

text_enum! {
    /// What a personal access token may do (spec backend 2.3).
    Scope {
        /// GET and HEAD, search and verify.
        Read => "read",
        /// All but credential routes.
        Write => "write",
        /// Everything its owner may do.
        Full => "full",
    }
}

text_enum! {
    /// Result of the newest health report or probe.
    HealthStatus {
        /// It answered.
        Healthy => "healthy",
        /// It did not.
        Unhealthy => "unhealthy",
    }
}

text_enum! {
    /// How an endpoint stands to a collective.
    MembershipStatus {
        /// Its owner asked; the collective has not answered.
        Pending => "pending",
        /// The collective asked; the endpoint's owner has not answered.
        Invited => "invited",
        /// It belongs to the collective.
        Approved => "approved",
        /// One side said no; either may ask again.
        Rejected => "rejected",
    }
}

text_enum! {
    /// How far a payment of a wallet has come.
    PaymentStatus {
        /// Counted against the limits, outcome not known yet.
        Reserved => "reserved",
        /// The provider paid.
        Paid => "paid",
        /// The provider did not pay.
        Failed => "failed",
    }
}

text_enum! {
    /// Where an account came from.
    AuthProvider {
        /// Registered here with a password.
        Local => "local",
        /// Google sign-in.
        Google => "google",
    }
}

text_enum! {
    /// The form of the credential that a caller presented.
    CredentialKind {
        /// A hub access token (HS256 JWT).
        HubToken => "hub_token",
        /// A personal access token (`syft_pat_…`).
        AccessToken => "access_token",
        /// The session cookie of a browser.
        BrowserSession => "browser_session",
        /// An OAuth access token, or a grant that our own MCP service stands for.
        OAuth => "oauth",
    }
}

text_enum! {
    /// Where somebody may have an account with which they sign in here.
    SignInProvider {
        /// Google.
        Google => "google",
        /// GitHub, or a GitHub Enterprise server.
        Github => "github",
    }
}

impl SignInProvider {
    /// The name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Google => "Google",
            Self::Github => "GitHub",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_survives_a_round_trip() {
        for kind in EndpointType::ALL {
            assert_eq!(kind.as_str().parse::<EndpointType>().as_ref(), Ok(kind));
        }
        assert!("MODEL".parse::<EndpointType>().is_err());
    }

    #[test]
    fn model_filter_includes_the_combined_type_only_one_way() {
        assert!(EndpointType::ModelDataSource.matches_filter(EndpointType::Model));
        assert!(!EndpointType::Model.matches_filter(EndpointType::ModelDataSource));
        assert!(!EndpointType::Agent.matches_filter(EndpointType::Model));
    }
}
