//! Accounts of people for whom a sign-in provider vouches.

use syfthub_domain::{
    AuthProvider, Error, ErrorCode, Result, Role, SignInProvider, Username, derive_username,
};
use syfthub_store::identities::{self, NewIdentity};
use syfthub_store::users::{self, NewUser, UserRow};
use uuid::Uuid;

use super::{ALL_TRIES, Failure, SAMPLES_EMAIL, Users, created, next_name, record_created};
use crate::audit::Origin;
use crate::sign_in_providers::{Profile, record_linked};

impl Users {
    /// Creates an account without a password for somebody whom a provider knows, and links the two. Its name is derived
    /// from the mail address. An address that has an account is a conflict: only its owner, signed in, may link.
    pub(crate) async fn create_external(
        &self,
        profile: &Profile,
        invitation: Option<&str>,
    ) -> Result<UserRow> {
        let email = profile.email.as_str();
        if email == SAMPLES_EMAIL || users::find_by_email(&self.db, email).await?.is_some() {
            return Err(has_account(profile.provider));
        }
        let base = derive_username(&profile.email);
        for attempt in 0..ALL_TRIES {
            let name = next_name(&base, attempt)?;
            match self.insert_external(profile, &name, invitation).await {
                Err(Failure::NameTaken) => {}
                Err(Failure::Other(error)) if error.code == ErrorCode::UserAlreadyExists => {
                    return Err(has_account(profile.provider));
                }
                Err(Failure::Other(error)) => return Err(error),
                Ok(user) => {
                    created(&user);
                    return Ok(user);
                }
            }
        }
        Err(Error::new(
            ErrorCode::Conflict,
            "No free username could be derived from your mail address; register with a password",
        ))
    }

    async fn insert_external(
        &self,
        profile: &Profile,
        name: &Username,
        invitation: Option<&str>,
    ) -> std::result::Result<UserRow, Failure> {
        let now = self.clock.now();
        let new = NewUser {
            username: name.clone(),
            email: profile.email.clone(),
            full_name: profile.full_name.clone(),
            role: Role::User,
            password_hash: None,
            is_email_verified: true,
            // What published clients know of; the links say which provider it was.
            auth_provider: match profile.provider {
                SignInProvider::Google => AuthProvider::Google,
                SignInProvider::Github => AuthProvider::Local,
            },
            google_id: None,
            avatar_url: profile.avatar_url.clone(),
        };
        let mut tx = self.db.begin().await?;
        let allowed = self.hub_settings.may_register(&mut tx, &profile.email, invitation).await;
        allowed.map_err(Failure::Other)?;
        let user = users::insert(&mut tx, &new, now).await?;
        let link = NewIdentity {
            id: Uuid::now_v7().to_string(),
            user_id: user.id,
            provider: profile.provider,
            subject: profile.subject.clone(),
            label: profile.label.clone(),
        };
        identities::insert(&mut tx, &link, now).await?;
        identities::touch(&mut tx, profile.provider, &profile.subject, &profile.label, now).await?;
        let origin = Origin::account(user.id, user.username.as_str());
        record_created(&mut tx, &origin, &user).await.map_err(Failure::Other)?;
        record_linked(&mut tx, &origin, user.id, profile, now).await.map_err(Failure::Other)?;
        tx.commit().await?;
        Ok(user)
    }
}

fn has_account(provider: SignInProvider) -> Error {
    let title = provider.title();
    let text = format!(
        "An account with this mail address exists; sign in to it as before and link {title} in your account settings"
    );
    Error::new(ErrorCode::Conflict, text)
}
