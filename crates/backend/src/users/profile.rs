//! Changing an account: the profile, its name, its address.

use serde_json::{Map, Value};
use syfthub_auth::{Action, Principal};
use syfthub_domain::{Email, Error, ErrorCode, Result, UserId, Username};
use syfthub_store::Tx;
use syfthub_store::users::{self, ProfileChange, UNIQUE_EMAIL, UNIQUE_USERNAME, UserRow};
use syfthub_web::Fields;
use syfthub_web::fields::Patch;
use url::Url;

use super::{Users, ending, new_email, unknown};
use crate::audit::{self, Origin};
use crate::endpoints::connections::TUNNEL;
use crate::endpoints::input::domain_of;
use crate::mail::Message;

/// Longest address of a picture, a domain or an aggregator.
const MAX_URL: usize = 500;
/// Longest text about oneself.
const MAX_BIO: usize = 2000;

/// A change of an account; what is absent stays.
#[derive(Debug, Default)]
pub(crate) struct Update {
    username: Option<Username>,
    email: Option<Email>,
    full_name: Option<String>,
    avatar_url: Option<String>,
    domain: Patch<String>,
    aggregator_url: Option<String>,
    bio: Patch<String>,
    is_email_public: Option<bool>,
    is_active: Option<bool>,
}

impl Update {
    /// Reads a change of the account `of`; all fields that are wrong are reported at once. Only `domain` and `bio`
    /// can be cleared: `null` elsewhere leaves the field as it is.
    pub(crate) fn read(body: Value, of: &UserRow) -> Result<Self> {
        let mut fields = Fields::body(body)?;
        // One's own name and address are good, whatever is asked of new ones.
        let username = fields.string("username").name(|text| {
            let own = text.trim().to_lowercase() == of.username.as_str();
            if own { Ok(of.username.clone()) } else { Username::parse_new(text) }
        });
        let username = username.optional();
        let email = fields.string("email").name(|text| {
            let own = text.trim().to_lowercase() == of.email.as_str();
            if own { Ok(of.email.clone()) } else { new_email(text) }
        });
        let email = email.optional();
        let full_name = fields.string("full_name").trimmed().length(1, 100).optional();
        let avatar_url = fields.string("avatar_url").length(0, MAX_URL).optional();
        // Wallets come from the wallet routes; the field is known to old clients and checked only.
        let _ = fields.string("wallet_address").length(0, 42).optional();
        let name = username.as_ref().unwrap_or(&of.username).clone();
        let domain = fields.string("domain").length(0, MAX_URL).parse(|text| served_at(text, name.as_str()));
        let domain = domain.patch();
        let aggregator_url =
            fields.string("aggregator_url").trimmed().length(1, MAX_URL).rule(|text| web_address(text));
        let aggregator_url = aggregator_url.optional();
        let bio = fields.string("bio").length(0, MAX_BIO).patch();
        let is_email_public = fields.boolean("is_email_public").optional();
        let is_active = fields.boolean("is_active").optional();
        fields.finish()?;
        Ok(Self {
            username,
            email,
            full_name,
            avatar_url,
            domain,
            aggregator_url,
            bio,
            is_email_public,
            is_active,
        })
    }

    /// What it changes of `of`. A tunnel has its user's name and follows it.
    fn change(self, of: &UserRow, can_mail: bool) -> ProfileChange {
        let username = self.username.filter(|name| *name != of.username);
        let email = self.email.filter(|email| *email != of.email);
        let own_tunnel = of.domain.as_deref() == Some(&format!("{TUNNEL}{}", of.username.as_str()));
        let domain = match (self.domain, &username) {
            (Patch::Value(domain), _) => Some(Some(domain)),
            (Patch::Null, _) => Some(None),
            (Patch::Absent, Some(name)) if own_tunnel => Some(Some(format!("{TUNNEL}{}", name.as_str()))),
            (Patch::Absent, _) => None,
        };
        ProfileChange {
            is_email_verified: (email.is_some() && can_mail).then_some(false),
            username,
            email,
            full_name: self.full_name,
            avatar_url: self.avatar_url,
            domain,
            aggregator_url: self.aggregator_url,
            bio: match self.bio {
                Patch::Value(bio) => Some(Some(bio)),
                Patch::Null => Some(None),
                Patch::Absent => None,
            },
            is_email_public: self.is_email_public,
            is_active: self.is_active.filter(|active| *active != of.is_active),
            role: None,
        }
    }
}

impl Users {
    /// The account with this id, for itself or an administrator.
    pub(crate) async fn for_editor(&self, editor: &Principal, id: UserId) -> Result<UserRow> {
        if editor.user_id != id {
            if !editor.is_admin() {
                return Err(Error::forbidden("Only the user or an administrator may do this"));
            }
            // Administration, whatever the method: a token that may read or change what is its owner's may not do it.
            editor.require(Action::Credential)?;
        }
        self.get(id).await
    }

    /// Changes an account.
    pub(crate) async fn update(
        &self,
        origin: &Origin,
        editor: &Principal,
        id: UserId,
        body: Value,
    ) -> Result<UserRow> {
        let update = Update::read(body, &self.for_editor(editor, id).await?)?;
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        if update.is_active == Some(false) {
            users::lock_admins(&mut tx).await?;
        }
        let before = users::find_by_id(&mut tx, id).await?.ok_or_else(unknown)?;
        let change = update.change(&before, self.mail.is_enabled());
        // Whoever sets the address can have a new password sent to it, so this takes what a password takes.
        if change.email.is_some() || change.is_active.is_some() {
            editor.require(Action::Credential)?;
        }
        let mut ended = None;
        match change.is_active {
            Some(_) if !editor.is_admin() => {
                return Err(Error::forbidden("Only an administrator may switch an account on or off"));
            }
            Some(false) => {
                super::lifecycle::not_self(editor, id)?;
                super::lifecycle::keep_an_admin(&mut tx, &before).await?;
                ended = Some(ending::end_sessions(&mut tx, id, now).await?);
            }
            _ => {}
        }
        let after = users::update_profile(&mut tx, id, &change, now).await.map_err(taken)?;
        let after = after.ok_or_else(unknown)?;
        self.tell_old_address(&mut tx, &before, &after).await?;
        let mut entry = origin.entry(now, "user.updated", "user", id);
        (entry.before, entry.after) = (Some(facts(&before, &after)), Some(facts(&after, &before)));
        audit::record(&mut tx, &entry).await?;
        tx.commit().await?;
        if let Some(ended) = ended {
            ended.announce(&self.access).await;
        }
        self.told(&before, Some(&after)).await;
        tracing::info!(target: "syfthub.api.users", user_id = id.0, "user.updated");
        Ok(after)
    }

    /// Tells whoever reads the old address of an account, who may not be the one who changed it. An address that
    /// nobody confirmed may be a stranger's, and is not written to.
    async fn tell_old_address(&self, tx: &mut Tx, before: &UserRow, after: &UserRow) -> Result<()> {
        if before.email == after.email || !before.is_email_verified {
            return Ok(());
        }
        let (full_name, username) = (before.full_name.clone(), after.username.as_str().to_owned());
        self.mail.enqueue(tx, &before.email, Message::AddressChanged { full_name, username }).await
    }

    /// Drops what this process and the others remember about an account that changed or is gone.
    pub(super) async fn told(&self, before: &UserRow, after: Option<&UserRow>) {
        self.access.forget_user(before.id).await;
        self.identity_provider.forget(before.username.as_str()).await;
        if let Some(after) = after {
            self.identity_provider.forget(after.username.as_str()).await;
        }
        self.endpoints.listings_changed().await;
    }
}

/// Where an account's endpoints are served: `http(s)://host…` without a slash at the end, or its own tunnel.
fn served_at(text: &str, username: &str) -> std::result::Result<String, String> {
    let text = text.trim().trim_end_matches('/');
    let origin = domain_of(text, username)?;
    if origin.starts_with(TUNNEL) {
        return Ok(origin);
    }
    if text.contains(['?', '#', ' ', '\\']) {
        return Err("must be an address without a query".to_owned());
    }
    Ok(text.to_owned())
}

fn web_address(text: &str) -> std::result::Result<(), String> {
    let good = Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some_and(|host| !host.is_empty())
            && url.username().is_empty()
            && url.password().is_none()
    });
    if good { Ok(()) } else { Err("must be an http:// or https:// address".to_owned()) }
}

/// 409 for a name or an address of somebody else.
fn taken(error: syfthub_store::Error) -> Error {
    let (text, field) = if error.is_unique(UNIQUE_USERNAME) {
        ("Username already exists", "username")
    } else if error.is_unique(UNIQUE_EMAIL) {
        ("Email already exists", "email")
    } else {
        return error.into();
    };
    Error::coded(ErrorCode::Conflict, text).with_extra("resource", "user").with_extra("field", field)
}

/// The facts of an account that differ from another state of it, for the audit log.
fn facts(row: &UserRow, other: &UserRow) -> Value {
    let all = |row: &UserRow| -> [(&'static str, Value); 9] {
        [
            ("username", row.username.as_str().into()),
            ("email", row.email.as_str().into()),
            ("full_name", row.full_name.clone().into()),
            ("avatar_url", row.avatar_url.clone().into()),
            ("domain", row.domain.clone().into()),
            ("aggregator_url", row.aggregator_url.clone().into()),
            ("is_email_public", row.is_email_public.into()),
            ("is_email_verified", row.is_email_verified.into()),
            ("is_active", row.is_active.into()),
        ]
    };
    let differing = all(row).into_iter().zip(all(other)).filter(|(this, that)| this.1 != that.1);
    Value::Object(differing.map(|((name, value), _)| (name.to_owned(), value)).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_an_address_or_the_users_own_tunnel() {
        for (text, kept) in [
            (" https://bob.example.com/ ", "https://bob.example.com"),
            ("http://127.0.0.1:8010", "http://127.0.0.1:8010"),
            ("https://h.example/base/", "https://h.example/base"),
            ("tunneling:bob", "tunneling:bob"),
        ] {
            assert_eq!(served_at(text, "bob").unwrap(), kept);
        }
        for bad in
            ["", "bob.example.com", "ftp://h", "https://u:p@h", "https://h/?q", "tunneling:eve", "tunneling:"]
        {
            assert!(served_at(bad, "bob").is_err(), "{bad}");
        }
    }
}
