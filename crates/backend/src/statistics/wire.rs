//! The JSON of figures and lists.

use serde::Serialize;
use syfthub_domain::{AuthProvider, Role, Timestamp};
use syfthub_store::statistics::ListedUser;
use utoipa::ToSchema;

/// The figures about users.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminOverview)]
pub(crate) struct Overview {
    /// The main figures.
    pub(crate) headline: Headline,
    /// By role: admin, user, guest.
    pub(crate) by_role: Vec<RoleCount>,
    /// By where the accounts came from.
    pub(crate) by_auth_provider: Vec<ProviderCount>,
    /// Registrations of the last days.
    pub(crate) signup_trend: SignupTrend,
    /// When users were last seen.
    pub(crate) last_login: LastLogin,
}

/// The main figures about users.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Headline {
    /// All accounts.
    pub(crate) total_users: i64,
    /// Accounts that may be used.
    pub(crate) active_users: i64,
    /// Accounts that were deactivated.
    pub(crate) inactive_users: i64,
    /// Accounts whose address was proved.
    pub(crate) email_verified: i64,
    /// Accounts whose address was not.
    pub(crate) email_unverified: i64,
    /// Administrators.
    pub(crate) admins: i64,
}

/// How many users have a role.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RoleCount {
    /// The role.
    #[schema(value_type = String, example = "user")]
    pub(crate) role: Role,
    /// How many.
    pub(crate) count: i64,
}

/// How many accounts came from one place.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProviderCount {
    /// The place.
    #[schema(value_type = String, example = "local")]
    pub(crate) provider: AuthProvider,
    /// How many.
    pub(crate) count: i64,
}

/// Registrations day by day.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignupTrend {
    /// How many days.
    pub(crate) days: u32,
    /// One for each day in UTC, the oldest first, today last.
    pub(crate) buckets: Vec<DayCount>,
}

/// Registrations of one day.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DayCount {
    /// The day in UTC.
    #[schema(format = Date, example = "2026-01-31")]
    pub(crate) date: String,
    /// How many.
    pub(crate) signups: i64,
}

/// When users last signed in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LastLogin {
    /// Every user is in exactly one of them.
    pub(crate) buckets: Vec<LoginBucket>,
    /// Users who signed in within 24 hours.
    pub(crate) active_24h: i64,
    /// Users who did not for 30 days, or never.
    pub(crate) dormant_30d: i64,
}

/// Users who last signed in during one span of time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LoginBucket {
    /// `24h`, `7d`, `30d`, `90d` or `never`.
    pub(crate) bucket: &'static str,
    /// The same for people.
    pub(crate) label: &'static str,
    /// How many.
    pub(crate) count: i64,
}

/// A user as administrators list them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AdminUserRow {
    /// Row id.
    pub(crate) id: i64,
    /// Unique name.
    pub(crate) username: String,
    /// Unique mail address.
    pub(crate) email: String,
    /// Display name.
    pub(crate) full_name: String,
    /// Picture.
    pub(crate) avatar_url: Option<String>,
    /// `admin`, `user` or `guest`.
    #[schema(value_type = String, example = "user")]
    pub(crate) role: Role,
    /// Whether the account may be used.
    pub(crate) is_active: bool,
    /// Whether the mail address was confirmed.
    pub(crate) is_email_verified: bool,
    /// Where the account came from.
    #[schema(value_type = String, example = "local")]
    pub(crate) auth_provider: AuthProvider,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: Timestamp,
    /// When they last signed in.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) last_login_at: Option<Timestamp>,
}

impl From<ListedUser> for AdminUserRow {
    fn from(row: ListedUser) -> Self {
        Self {
            id: row.id.0,
            username: row.username.into_string(),
            email: row.email.into_string(),
            full_name: row.full_name,
            avatar_url: row.avatar_url,
            role: row.role,
            is_active: row.is_active,
            is_email_verified: row.is_email_verified,
            auth_provider: row.auth_provider,
            created_at: row.created_at,
            last_login_at: row.last_login_at,
        }
    }
}
