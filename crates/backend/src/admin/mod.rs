//! What an operator does from the command line: administrators, the set-up link, the sample account.

use syfthub_config::Secret;
use syfthub_domain::{
    AuthProvider, Email, Error, FieldError, InvalidName, Loc, Result, Role, Scope, Username,
};
use syfthub_store::endpoints::{self, PublicFilter};
use syfthub_store::users::{NewUser, UserRow};
use syfthub_store::{Page, users};

use crate::App;
use crate::audit::Origin;
use crate::hub_settings::Change;
use crate::tokens::NewToken;
use crate::users::{NewAccount, SAMPLES_EMAIL, new_email, wire};

/// The account of the sample node. Nobody can register the name, and the account has no password.
const SAMPLES: &str = syfthub_domain::SAMPLE_OWNER;
/// Accounts read at once.
const BATCH: u32 = 500;

impl App {
    /// Creates an administrator. All fields that are wrong are reported at once.
    pub async fn create_admin(
        &self,
        username: &str,
        email: &str,
        full_name: &str,
        password: &Secret,
    ) -> Result<wire::User> {
        let mut wrong = Vec::new();
        let username = checked("username", Username::parse_new(username), &mut wrong);
        let email = checked("email", new_email(email), &mut wrong);
        let full_name = full_name.trim();
        if full_name.is_empty() || full_name.chars().count() > 100 {
            wrong.push(field("full_name", "value_error", "The full name has 1 to 100 characters"));
        }
        if let Err(why) = self.state.users.check_password(password.expose()) {
            wrong.push(field("password", "value_error", &why));
        }
        let (Some(username), Some(email), true) = (username, email, wrong.is_empty()) else {
            return Err(Error::fields(wrong));
        };
        let account = NewAccount {
            username,
            email,
            full_name: full_name.to_owned(),
            password: password.clone(),
            invitation: None,
        };
        Ok(self.state.users.create_admin(account).await?.into())
    }

    /// Makes an existing user an administrator.
    pub async fn promote(&self, username: &str) -> Result<()> {
        self.state.users.promote(username).await.map(|_| ())
    }

    /// Makes an administrator an ordinary user; not the last one.
    pub async fn demote(&self, username: &str) -> Result<()> {
        self.state.users.demote(&Origin::system("cli"), username).await.map(|_| ())
    }

    /// The hub's settings: name, value as text, and whether it was changed from its default.
    pub fn settings(&self) -> Vec<(String, String, bool)> {
        self.state.hub_settings.as_text()
    }

    /// Changes one of the hub's settings; `None` gives it its default again.
    pub async fn set_setting(&self, name: &str, value: Option<&str>) -> Result<()> {
        let change = Change::of_text(name, value)?;
        self.state.hub_settings.change(&Origin::system("cli"), &change).await
    }

    /// Names of all active administrators, in alphabetical order.
    pub async fn list_admins(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        let mut page = Page::new(0, BATCH);
        loop {
            let rows = users::list(&self.db, page).await?;
            let is_last = rows.len() < BATCH as usize;
            let admins = rows.into_iter().filter(|row| row.role == Role::Admin && row.is_active);
            names.extend(admins.map(|row| row.username.into_string()));
            if is_last {
                names.sort();
                return Ok(names);
            }
            page.skip += BATCH;
        }
    }

    /// The one-time link of a hub without an administrator, when this call made it. `have_file` says whether
    /// the caller still has what an earlier call gave; without it that link is void and a new one is made.
    pub async fn ensure_setup_link(&self, have_file: bool) -> Result<Option<String>> {
        self.state.setup.ensure_link(have_file).await
    }

    /// A fresh one-time link; the one before stops working. `None` once there is an administrator.
    pub async fn renew_setup_link(&self) -> Result<Option<String>> {
        self.state.setup.renew_link().await
    }

    /// A token for the sample node; tokens of earlier starts stop working. `None` for a hub on which
    /// somebody published something before the samples ever ran.
    pub async fn samples_token(&self) -> Result<Option<Secret>> {
        let owner = match users::find_by_username(&self.db, SAMPLES).await? {
            Some(user) => user,
            None if endpoints::count_public(&self.db, &PublicFilter::default()).await? > 0 => {
                return Ok(None);
            }
            None => self.create_samples_user().await?,
        };
        self.state.tokens.revoke_all(owner.id).await?;
        let new = NewToken { name: "sample node".to_owned(), scopes: vec![Scope::Write], expires_at: None };
        let (_, token) = self.state.tokens.create(owner.id, new).await?;
        Ok(Some(token))
    }

    /// Takes everything of the sample node off the hub and ends its tokens.
    pub async fn withdraw_samples(&self) -> Result<()> {
        let Some(owner) = users::find_by_username(&self.db, SAMPLES).await? else { return Ok(()) };
        self.state.tokens.revoke_all(owner.id).await?;
        self.state.endpoints.withdraw(owner.id).await
    }

    async fn create_samples_user(&self) -> Result<UserRow> {
        let new = NewUser {
            username: Username::from_trusted(SAMPLES.to_owned()),
            email: Email::from_trusted(SAMPLES_EMAIL.to_owned()),
            full_name: "Samples of this hub".to_owned(),
            role: Role::User,
            password_hash: None,
            is_email_verified: true,
            auth_provider: AuthProvider::Local,
            google_id: None,
            avatar_url: None,
        };
        let mut tx = self.db.begin().await?;
        let user = users::insert(&mut tx, &new, self.clock.now()).await?;
        crate::users::record_created(&mut tx, &Origin::system("samples"), &user).await?;
        tx.commit().await?;
        crate::users::created(&user);
        Ok(user)
    }
}

fn field(name: &str, kind: &'static str, why: &str) -> FieldError {
    FieldError::new(kind, vec![Loc::from("body"), Loc::from(name)], why)
}

fn checked<T>(
    name: &str,
    parsed: std::result::Result<T, InvalidName>,
    wrong: &mut Vec<FieldError>,
) -> Option<T> {
    match parsed {
        Ok(value) => Some(value),
        Err(why) => {
            wrong.push(field(name, why.kind, &why.message));
            None
        }
    }
}
