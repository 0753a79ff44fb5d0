//! Accounts: who may have one, and under which name.

pub(crate) mod account_routes;
mod ending;
mod external;
mod lifecycle;
mod profile;
pub(crate) mod routes;
pub mod wire;

use std::sync::Arc;

use rand::RngExt as _;
use serde_json::json;
use syfthub_auth::passwords::{MAX_LENGTH, Passwords};
use syfthub_config::Secret;
use syfthub_domain::{
    AuthProvider, Email, Error, ErrorCode, InvalidName, Result, Role, SharedClock, UserId, Username,
    derive_username, is_reserved_owner,
};
use syfthub_store::users::{NewUser, ProfileChange, UNIQUE_EMAIL, UNIQUE_USERNAME, UserRow};
use syfthub_store::{Db, Tx, users};

use crate::access::Access;
use crate::audit::{self, Origin};
use crate::endpoints::Endpoints;
use crate::hub_settings::HubSettings;
use crate::identity_provider::IdentityProvider;
use crate::mail::Mail;
use crate::setup::void_link;

/// The address of the hub's own sample account.
pub(crate) const SAMPLES_EMAIL: &str = "samples@localhost";
/// Tries with three digits before four are used.
const SHORT_SUFFIXES: usize = 10;
/// Tries in all. With four random digits the last of them fails only if thousands of names are taken.
const ALL_TRIES: usize = 30;

/// What a new account needs.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// The wanted name; another one is given if it is taken.
    pub username: Username,
    /// The mail address.
    pub email: Email,
    /// The display name.
    pub full_name: String,
    /// The password, checked with [`Users::check_password`].
    pub password: Secret,
    /// An invitation code, for a hub that asks for one.
    pub invitation: Option<String>,
}

/// Features that accounts lean on: what remembers something about them, and what decides who gets one.
#[derive(Debug, Clone)]
pub(crate) struct Neighbours {
    pub(crate) access: Arc<Access>,
    pub(crate) endpoints: Arc<Endpoints>,
    pub(crate) hub_settings: Arc<HubSettings>,
    pub(crate) identity_provider: Arc<IdentityProvider>,
    pub(crate) mail: Arc<Mail>,
}

/// The rules of accounts.
#[derive(Debug)]
pub struct Users {
    db: Db,
    clock: SharedClock,
    passwords: Arc<Passwords>,
    access: Arc<Access>,
    endpoints: Arc<Endpoints>,
    hub_settings: Arc<HubSettings>,
    identity_provider: Arc<IdentityProvider>,
    mail: Arc<Mail>,
    min_password: usize,
    /// Whether people who register must confirm their address.
    verifying: bool,
}

impl Users {
    pub(crate) fn new(
        db: Db,
        clock: SharedClock,
        passwords: Arc<Passwords>,
        min_password: usize,
        neighbours: Neighbours,
    ) -> Self {
        let Neighbours { access, endpoints, hub_settings, identity_provider, mail } = neighbours;
        Self {
            db,
            clock,
            passwords,
            access,
            endpoints,
            hub_settings,
            identity_provider,
            mail,
            min_password,
            verifying: false,
        }
    }

    /// Whether people who register must confirm their mail address before they sign in.
    #[must_use]
    pub(crate) fn verifying(mut self, verifying: bool) -> Self {
        self.verifying = verifying;
        self
    }

    /// Why a password is not good enough, if it is not.
    pub fn check_password(&self, password: &str) -> std::result::Result<(), String> {
        let min = self.min_password;
        if password.chars().count() < min {
            return Err(format!("Password must be at least {min} characters long"));
        }
        if password.chars().count() > MAX_LENGTH {
            return Err(format!("Password must be at most {MAX_LENGTH} characters long"));
        }
        if !password.chars().any(|c| c.is_ascii_digit()) {
            return Err("Password must contain at least one digit".to_owned());
        }
        if !password.chars().any(char::is_alphabetic) {
            return Err("Password must contain at least one letter".to_owned());
        }
        Ok(())
    }

    /// Whether this account may be made at all, asked before anything is said about its address or spent on its
    /// password. What counts is asked again in the change that makes it.
    pub(crate) async fn check_registration(&self, account: &NewAccount) -> Result<()> {
        let mut tx = self.db.begin().await?;
        self.hub_settings.may_register(&mut tx, &account.email, account.invitation.as_deref()).await?;
        Ok(tx.rollback().await?)
    }

    /// Creates an ordinary account. A taken name is replaced by one derived from the mail address, so the
    /// caller reads the name from the result; a taken address is a conflict.
    pub async fn register(&self, account: NewAccount) -> Result<UserRow> {
        if users::find_by_email(&self.db, account.email.as_str()).await?.is_some() {
            return Err(email_taken());
        }
        let hash = self.hash(&account.password).await?;
        let base = derive_username(&account.email);
        let mut name = account.username.clone();
        for attempt in 0..ALL_TRIES {
            match self.insert(&account, &name, &hash, Role::User).await {
                Err(Failure::NameTaken) => name = next_name(&base, attempt)?,
                Err(Failure::Other(error)) => return Err(error),
                Ok(user) => {
                    created(&user);
                    return Ok(user);
                }
            }
        }
        Err(Error::new(ErrorCode::Conflict, "No free username could be derived; choose another one"))
    }

    /// Creates an administrator under exactly the wanted name.
    pub async fn create_admin(&self, account: NewAccount) -> Result<UserRow> {
        let hash = self.hash(&account.password).await?;
        match self.insert(&account, &account.username, &hash, Role::Admin).await {
            Ok(user) => {
                created(&user);
                Ok(user)
            }
            Err(Failure::Other(error)) => Err(error),
            Err(Failure::NameTaken) => Err(Error::coded(ErrorCode::Conflict, "Username already exists")
                .with_extra("resource", "user")
                .with_extra("field", "username")),
        }
    }

    /// Hashes a password, for a rule that creates an account inside a change of its own.
    pub(crate) async fn hash(&self, password: &Secret) -> Result<Secret> {
        self.passwords.hash(password.expose().to_owned()).await.map(Secret::new)
    }

    /// Makes an existing user an administrator.
    pub async fn promote(&self, username: &str) -> Result<UserRow> {
        let user = self.find(username).await?;
        let change = ProfileChange { role: Some(Role::Admin), ..ProfileChange::default() };
        let mut tx = self.db.begin().await?;
        void_link(&mut tx).await?;
        let changed = users::update_profile(&mut tx, user.id, &change, self.clock.now()).await?;
        let mut entry = Origin::system("cli").entry(self.clock.now(), "user.promoted", "user", user.id);
        entry.before = Some(json!({"role": user.role.as_str()}));
        entry.after = Some(json!({"role": "admin"}));
        audit::record(&mut tx, &entry).await?;
        tx.commit().await?;
        self.access.forget_user(user.id).await;
        tracing::info!(target: "syfthub.api.users", user_id = user.id.0, role = "admin", "user.updated");
        changed.ok_or_else(unknown)
    }

    /// Whether the hub has an active administrator.
    pub async fn has_admin(&self) -> Result<bool> {
        Ok(users::any_admin(&self.db).await?)
    }

    /// The account with this name in any case, active or not.
    pub async fn find(&self, username: &str) -> Result<UserRow> {
        users::find_by_username(&self.db, &username.trim().to_lowercase()).await?.ok_or_else(unknown)
    }

    /// The account with this id.
    pub(crate) async fn get(&self, id: UserId) -> Result<UserRow> {
        users::find_by_id(&self.db, id).await?.ok_or_else(unknown)
    }

    /// The active account with this name, for everybody to see.
    pub(crate) async fn public(&self, username: &str) -> Result<UserRow> {
        match self.find(username).await {
            Ok(user) if user.is_active => Ok(user),
            Ok(_) => Err(unknown()),
            Err(error) => Err(error),
        }
    }

    /// Whether somebody could register this name, and the form in which it would be stored.
    pub(crate) async fn is_username_free(&self, text: &str) -> Result<(bool, String)> {
        let lower = text.trim().to_lowercase();
        let Ok(name) = Username::parse_new(&lower) else { return Ok((false, lower)) };
        Ok((users::find_by_username(&self.db, name.as_str()).await?.is_none(), lower))
    }

    /// Whether somebody could register this mail address, and the form in which it would be stored.
    pub(crate) async fn is_email_free(&self, text: &str) -> Result<(bool, String)> {
        let lower = text.trim().to_lowercase();
        let Ok(email) = new_email(&lower) else { return Ok((false, lower)) };
        Ok((users::find_by_email(&self.db, email.as_str()).await?.is_none(), lower))
    }

    async fn insert(
        &self,
        account: &NewAccount,
        name: &Username,
        hash: &Secret,
        role: Role,
    ) -> std::result::Result<UserRow, Failure> {
        // A failed insert ends the change on PostgreSQL, so every try has one of its own.
        let mut tx = self.db.begin().await?;
        if role == Role::Admin {
            void_link(&mut tx).await.map_err(Failure::Other)?;
        } else {
            let invitation = account.invitation.as_deref();
            let allowed = self.hub_settings.may_register(&mut tx, &account.email, invitation).await;
            allowed.map_err(Failure::Other)?;
        }
        let mut row = row(account, name, hash, role);
        // Whoever makes an administrator answers for the address.
        row.is_email_verified = role == Role::Admin || !self.verifying;
        let user = users::insert(&mut tx, &row, self.clock.now()).await?;
        let origin = Origin::account(user.id, user.username.as_str());
        record_created(&mut tx, &origin, &user).await.map_err(Failure::Other)?;
        tx.commit().await?;
        Ok(user)
    }
}

pub(crate) use ending::end_sessions;

/// The mail address of a new account. That of the hub's own account is nobody's to take: with it taken, the
/// samples could not start.
pub(crate) fn new_email(text: &str) -> std::result::Result<Email, InvalidName> {
    let email = Email::parse(text)?;
    if email.as_str() == SAMPLES_EMAIL {
        let message = "Value error, this address belongs to the hub itself; use your own".to_owned();
        return Err(InvalidName { kind: "value_error", message });
    }
    Ok(email)
}

/// The row of an account that has a password and whose address needs no proof.
pub(crate) fn row(account: &NewAccount, name: &Username, hash: &Secret, role: Role) -> NewUser {
    NewUser {
        username: name.clone(),
        email: account.email.clone(),
        full_name: account.full_name.clone(),
        role,
        password_hash: Some(hash.clone()),
        is_email_verified: true,
        auth_provider: AuthProvider::Local,
        google_id: None,
        avatar_url: None,
    }
}

/// Writes down that an account exists now, in the change that makes it.
pub(crate) async fn record_created(tx: &mut Tx, origin: &Origin, user: &UserRow) -> Result<()> {
    let mut entry = origin.entry(user.created_at, "user.created", "user", user.id);
    entry.after = Some(json!({
        "username": user.username.as_str(), "email": user.email.as_str(), "role": user.role.as_str(),
        "provider": user.auth_provider.as_str(),
    }));
    Ok(audit::record(tx, &entry).await?)
}

/// Logs that an account exists now.
pub(crate) fn created(user: &UserRow) {
    let (user_id, username, role) = (user.id.0, user.username.as_str(), user.role.as_str());
    tracing::info!(target: "syfthub.api.users", user_id, username, role, "user.created");
}

enum Failure {
    NameTaken,
    Other(Error),
}

impl From<syfthub_store::Error> for Failure {
    fn from(error: syfthub_store::Error) -> Self {
        if error.is_unique(UNIQUE_USERNAME) {
            Self::NameTaken
        } else if error.is_unique(UNIQUE_EMAIL) {
            Self::Other(email_taken())
        } else {
            Self::Other(error.into())
        }
    }
}

/// The conflict of two accounts with one address.
pub(crate) fn email_taken() -> Error {
    Error::coded(ErrorCode::UserAlreadyExists, "Email already exists").with_extra("field", "email")
}

fn unknown() -> Error {
    Error::not_found("User not found")
}

/// The name to try after `attempt` names were taken: the plain one, then with three digits, then with four.
fn next_name(base: &str, attempt: usize) -> Result<Username> {
    if attempt == 0 && !is_reserved_owner(base) {
        return Username::parse(base).map_err(Error::internal);
    }
    let suffix: u32 = match attempt {
        0..=SHORT_SUFFIXES => rand::rng().random_range(100..=999),
        _ => rand::rng().random_range(1000..=9999),
    };
    Username::parse(&format!("{base}{suffix}")).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_names_grow_a_suffix_and_stay_valid() {
        assert_eq!(next_name("bob", 0).unwrap().as_str(), "bob");
        assert_eq!(next_name("bob", 1).unwrap().as_str().len(), 6);
        assert_eq!(next_name("bob", 20).unwrap().as_str().len(), 7);
        assert_ne!(next_name("docs", 0).unwrap().as_str(), "docs");
        assert_eq!(next_name(&"a".repeat(45), 29).unwrap().as_str().len(), 49);
    }
}
