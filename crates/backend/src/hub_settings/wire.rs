//! The JSON of the hub's settings and of invitations.

use serde::Serialize;
use serde_json::Value;
use syfthub_config::Hub;
use syfthub_domain::Timestamp;
use syfthub_store::invitations::InvitationRow;
use utoipa::ToSchema;

use super::Overrides;

/// The hub's settings in force.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct HubSettingsView {
    /// Who may register: `open` (everybody), `invitation` (whoever has an invitation code), `domains` (mail addresses
    /// of `allowed_domains`, and whoever has an invitation code) or `closed` (nobody).
    #[schema(example = "open")]
    pub(crate) registration: String,
    /// Mail domains that may register when `registration` is `domains`.
    #[schema(example = json!(["example.com"]))]
    pub(crate) allowed_domains: Vec<String>,
    /// Whether people without an account may browse the hub and ask its guest-accessible endpoints.
    pub(crate) guest_access: bool,
    /// What the hub calls itself.
    #[schema(example = "SyftHub")]
    pub(crate) instance_name: String,
    /// Names of the settings that were changed here; the others have their defaults.
    pub(crate) changed: Vec<&'static str>,
}

impl HubSettingsView {
    /// The settings in force, and which of them were changed.
    pub(crate) fn of(hub: &Hub, overrides: &Overrides) -> Self {
        Self {
            registration: hub.registration.as_str().to_owned(),
            allowed_domains: hub.allowed_domains.clone(),
            guest_access: hub.guest_access,
            instance_name: hub.instance_name.clone(),
            changed: overrides.names(),
        }
    }

    /// As a value, for the audit log.
    pub(crate) fn into_value(self) -> Value {
        serde_json::to_value(self).unwrap_or(Value::Null)
    }
}

/// Settings to change; what is not sent stays, `null` falls back to the default.
#[derive(Debug, ToSchema)]
#[schema(as = HubSettingsChange)]
#[expect(dead_code, reason = "describes the body, which is read field by field")]
pub(crate) struct HubSettingsChange {
    /// Who may register.
    #[schema(example = "invitation", pattern = "^(open|invitation|domains|closed)$")]
    registration: Option<String>,
    /// Mail domains that may register when `registration` is `domains`.
    #[schema(max_items = 100, example = json!(["example.com"]))]
    allowed_domains: Option<Vec<MailDomain>>,
    /// Whether people without an account may browse and ask.
    guest_access: Option<bool>,
    /// What the hub calls itself; one line.
    #[schema(min_length = 1, max_length = 60, example = "Ada's hub")]
    instance_name: Option<String>,
}

/// A mail domain; an `@` before it and capital letters make no difference.
#[derive(Debug, ToSchema)]
#[schema(
    min_length = 1,
    max_length = 253,
    pattern = "^@?[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?([.][A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$"
)]
#[expect(dead_code, reason = "describes the body, which is read field by field")]
pub(crate) struct MailDomain(String);

/// An invitation to make.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes the body, which is read field by field")]
pub(crate) struct NewInvitationBody {
    /// The only mail address that may use it; anybody if not given. It is sent there if the hub can send mail.
    #[schema(min_length = 3, max_length = 255, format = "email", example = "bob@example.com")]
    email: Option<String>,
    /// How many accounts it is good for; 1 if not given.
    #[schema(minimum = 1, maximum = 1000)]
    max_uses: Option<i64>,
    /// Hours until it ends; a week if not given.
    #[schema(minimum = 1, maximum = 8760)]
    expires_in_hours: Option<i64>,
}

/// An invitation, without its code.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Invitation {
    /// Its id.
    pub(crate) id: String,
    /// The only mail address that may use it.
    pub(crate) email: Option<String>,
    /// How many accounts it is good for.
    pub(crate) max_uses: i64,
    /// How many have been made with it.
    pub(crate) uses: i64,
    /// Row id of the administrator who made it.
    pub(crate) created_by: Option<i64>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: Timestamp,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) expires_at: Timestamp,
    /// When it was withdrawn.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) revoked_at: Option<Timestamp>,
    /// `open`, `used`, `expired` or `revoked`.
    #[schema(example = "open")]
    pub(crate) status: &'static str,
}

impl Invitation {
    /// The invitation as it is at `now`.
    pub(crate) fn at(row: InvitationRow, now: Timestamp) -> Self {
        let status = match &row {
            row if row.revoked_at.is_some() => "revoked",
            row if row.uses >= row.max_uses => "used",
            row if row.expires_at <= now => "expired",
            _ => "open",
        };
        Self {
            id: row.id,
            email: row.email.map(syfthub_domain::Email::into_string),
            max_uses: row.max_uses,
            uses: row.uses,
            created_by: row.created_by.map(|id| id.0),
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            status,
        }
    }
}

/// A new invitation with its code, which is shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeInvitation {
    /// The invitation.
    #[serde(flatten)]
    pub(crate) invitation: Invitation,
    /// What is sent as `invitation_code` when registering. It cannot be shown again.
    pub(crate) code: String,
    /// A link to the registration page that carries the code.
    pub(crate) link: String,
    /// Whether it was sent by mail.
    pub(crate) mailed: bool,
}
