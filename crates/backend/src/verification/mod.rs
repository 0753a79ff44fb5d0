//! One-time codes: confirming a mail address, resetting a password.

mod code;
pub(crate) mod routes;
mod wire;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use syfthub_config::{OneTimeCodes, Rule, Secret};
use syfthub_domain::{Email, Error, ErrorCode, Result, SharedClock, Timestamp};
use syfthub_store::one_time_codes::{self, NewCode, Purpose, Sent};
use syfthub_store::users::{ProfileChange, UserRow};
use syfthub_store::{Db, Reads, Tx, audit, identities, sessions, users};
use syfthub_web::limit_bucket;

use self::code::CodeKey;
use crate::access::Access;
use crate::audit::Origin;
use crate::audit::origin::client_address;
use crate::mail::{Mail, Message};
use crate::parts::Parts;
use crate::users::{NewAccount, Users, email_taken, end_sessions};

/// The rules of the feature.
#[derive(Debug)]
pub(crate) struct Verification {
    db: Db,
    clock: SharedClock,
    mail: Arc<Mail>,
    access: Arc<Access>,
    key: CodeKey,
    rules: OneTimeCodes,
}

/// A code that is kept and counted, and not sent yet.
struct Reserved {
    id: i64,
    code: Secret,
    purpose: Purpose,
}

impl Verification {
    /// Builds the feature.
    pub(crate) fn build(parts: &Parts) -> Result<Self> {
        Ok(Self {
            db: parts.db.clone(),
            clock: parts.clock.clone(),
            mail: Arc::clone(&parts.mail),
            access: Arc::clone(&parts.access),
            key: CodeKey::derive(&parts.master)?,
            rules: parts.settings.one_time_codes,
        })
    }

    /// Whether a new account must confirm its mail address: if there is a way to.
    pub(crate) fn is_required(&self) -> bool {
        self.mail.is_enabled()
    }

    /// Creates an account that must confirm its address, and sends the code. The limits are asked before
    /// anything is written, so that a refusal leaves nothing behind.
    pub(crate) async fn register(&self, users: &Users, account: NewAccount, ip: IpAddr) -> Result<UserRow> {
        let email = account.email.clone();
        if users::find_by_email(&self.db, email.as_str()).await?.is_some() {
            return Err(email_taken());
        }
        let mut tx = self.db.begin().await?;
        let reserved = self.reserve(&mut tx, &email, Purpose::Registration, ip).await?;
        tx.commit().await?;
        let user = match users.register(account).await {
            Ok(user) => user,
            Err(refused) => {
                let mut tx = self.db.begin().await?;
                one_time_codes::delete(&mut tx, reserved.id).await?;
                tx.commit().await?;
                return Err(refused);
            }
        };
        let mut tx = self.db.begin().await?;
        self.mail.enqueue(&mut tx, &email, self.message(&reserved, &user.full_name)).await?;
        tx.commit().await?;
        Ok(user)
    }

    /// Sends another code to whoever waits for one. The answer is the same for everybody, and so is the work.
    pub(crate) async fn resend(&self, email: &Email, ip: IpAddr) -> Result<()> {
        let waits = async |user: &UserRow| Ok(user.is_active && !user.is_email_verified);
        self.send_quietly(email, Purpose::Registration, ip, waits).await
    }

    /// Sends a code to whoever may set a password. The answer is the same for everybody, and so is the work.
    pub(crate) async fn request_reset(&self, email: &Email, ip: IpAddr) -> Result<()> {
        let may = async |user: &UserRow| Ok(user.is_active && may_set_password(&self.db, user).await?);
        self.send_quietly(email, Purpose::PasswordReset, ip, may).await
    }

    async fn send_quietly(
        &self,
        email: &Email,
        purpose: Purpose,
        ip: IpAddr,
        entitled: impl AsyncFnOnce(&UserRow) -> Result<bool>,
    ) -> Result<()> {
        if !self.mail.is_enabled() {
            return Ok(());
        }
        let mut user = users::find_by_email(&self.db, email.as_str()).await?;
        if let Some(found) = &user
            && !entitled(found).await?
        {
            user = None;
        }
        let mut tx = self.db.begin().await?;
        let reserved = match self.reserve(&mut tx, email, purpose, ip).await {
            Err(refused) if refused.code == ErrorCode::OtpRateLimited => {
                tracing::info!(target: "syfthub.api.auth", purpose = purpose.as_str(), "otp.rate_limited");
                return Ok(());
            }
            other => other?,
        };
        // A code that nobody is sent makes guesses at an unknown address fail the way others do.
        match &user {
            Some(user) => {
                self.mail.enqueue(&mut tx, email, self.message(&reserved, &user.full_name)).await?;
            }
            None => self.mail.pretend(&mut tx, email, self.message(&reserved, "")).await?,
        }
        tx.commit().await?;
        Ok(())
    }

    /// Whether a text can be a code at all; gives it without the blanks around it.
    pub(crate) fn read_code(text: &str) -> Result<String> {
        code::read(text).map_err(|_| wrong())
    }

    /// Confirms the mail address that a code was sent to. The code is looked at before the account, so that the
    /// answer does not tell who has one.
    pub(crate) async fn confirm_email(&self, email: &Email, code: &str, origin: &Origin) -> Result<UserRow> {
        let id = self.check(email, Purpose::Registration, code).await?;
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let user = holder(&mut tx, email).await?.ok_or_else(wrong)?;
        if !user.is_active {
            return Err(Error::unauthenticated("Account is deactivated"));
        }
        self.consume(&mut tx, id, now).await?;
        let user = verified(&mut tx, &user, now).await?;
        let origin = origin.as_user(user.id, user.username.as_str());
        audit::record(&mut tx, &origin.entry(now, "user.email_verified", "user", user.id.0)).await?;
        tx.commit().await?;
        tracing::info!(target: "syfthub.api.auth", user_id = user.id.0, "user.email_verified");
        Ok(user)
    }

    /// Replaces a forgotten password, which also proves the address, and ends every session of the account.
    pub(crate) async fn reset_password(
        &self,
        users: &Users,
        email: &Email,
        code: &str,
        password: &Secret,
        origin: &Origin,
    ) -> Result<()> {
        let id = self.check(email, Purpose::PasswordReset, code).await?;
        let hash = users.hash(password).await?;
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let user = holder(&mut tx, email).await?;
        self.consume(&mut tx, id, now).await?;
        let changed = match user {
            Some(user) if may_set_password(&mut tx, &user).await? => Some(user),
            _ => None,
        };
        let mut ended = None;
        if let Some(user) = &changed {
            users::set_password(&mut tx, user.id, &hash, now).await?;
            verified(&mut tx, user, now).await?;
            ended = Some(end_sessions(&mut tx, user.id, now).await?);
            // Whoever reads the owner's mail is no stranger to the limits of signing in.
            if let Some(address) = client_address() {
                sessions::remember_address(&mut tx, user.id, &limit_bucket(address), now).await?;
            }
            let origin = origin.as_user(user.id, user.username.as_str());
            audit::record(&mut tx, &origin.entry(now, "user.password_reset", "user", user.id.0)).await?;
        }
        tx.commit().await?;
        if let Some(ended) = ended {
            ended.announce(&self.access).await;
        }
        if let Some(user) = changed {
            tracing::info!(target: "syfthub.api.users", user_id = user.id.0, field = "password", "user.updated");
        }
        Ok(())
    }

    /// Keeps a new code, if the limits allow one: first that of the network address, then that of the mail address.
    async fn reserve(&self, tx: &mut Tx, email: &Email, purpose: Purpose, ip: IpAddr) -> Result<Reserved> {
        let now = self.clock.now();
        let requester_ip = limit_bucket(ip);
        one_time_codes::lock_sends(tx, email, purpose, &requester_ip).await?;
        let Rule { window, .. } = self.rules.per_ip;
        let sent = one_time_codes::sent_for(&mut *tx, &requester_ip, now.minus(window)).await?;
        within(sent, self.rules.per_ip, now)?;
        let Rule { window, .. } = self.rules.per_email;
        let sent = one_time_codes::sent_to(&mut *tx, email, purpose, now.minus(window)).await?;
        within(sent, self.rules.per_email, now)?;
        let code = code::random();
        let new = NewCode {
            email: email.clone(),
            purpose,
            code_hash: self.key.hash(email, purpose, code.expose()),
            expires_at: now.plus(self.rules.life),
            requester_ip,
        };
        let id = one_time_codes::insert(tx, &new, now).await?;
        Ok(Reserved { id, code, purpose })
    }

    fn message(&self, reserved: &Reserved, full_name: &str) -> Message {
        let (code, full_name, valid_for) = (reserved.code.clone(), full_name.to_owned(), self.rules.life);
        match reserved.purpose {
            Purpose::Registration => Message::VerificationCode { code, full_name, valid_for },
            Purpose::PasswordReset => Message::PasswordResetCode { code, full_name, valid_for },
        }
    }

    /// Whether this is the code. The guess is counted, for good, before it is compared; the last wrong one and
    /// every one after it are told that a new code is needed. Gives what to [`Verification::consume`].
    async fn check(&self, email: &Email, purpose: Purpose, code: &str) -> Result<i64> {
        let now = self.clock.now();
        let max = self.rules.max_attempts;
        let mut tx = self.db.begin().await?;
        let attempt = one_time_codes::count_attempt(&mut tx, email, purpose, max, now).await?;
        tx.commit().await?;
        let Some(attempt) = attempt else {
            let exhausted = one_time_codes::is_pending(&self.db, email, purpose, now).await?;
            return Err(if exhausted { too_many() } else { wrong() });
        };
        if self.key.matches(email, purpose, code, &attempt.code_hash) {
            Ok(attempt.id)
        } else if attempt.attempts >= i64::from(max) {
            Err(too_many())
        } else {
            Err(wrong())
        }
    }

    /// A code works once, also when two requests bring it at the same moment.
    async fn consume(&self, tx: &mut Tx, id: i64, now: Timestamp) -> Result<()> {
        if one_time_codes::consume(tx, id, now).await? { Ok(()) } else { Err(wrong()) }
    }

    /// Deletes what is over, for ever; one replica at a time.
    pub(crate) async fn clean_up_forever(&self) {
        loop {
            tokio::time::sleep(self.rules.cleanup_interval).await;
            match self.clean_up().await {
                Ok(rows) => tracing::debug!(rows, "otp.sweep.completed"),
                Err(error) => tracing::warn!(%error, "otp.sweep.failed"),
            }
        }
    }

    async fn clean_up(&self) -> Result<u64> {
        let now = self.clock.now();
        let before = now.minus(self.rules.cleanup_retention);
        let mut all = 0;
        loop {
            let mut tx = self.db.begin().await?;
            let rows = one_time_codes::purge(&mut tx, before, now).await?.unwrap_or_default();
            tx.commit().await?;
            if rows == 0 {
                return Ok(all);
            }
            all += rows;
        }
    }
}

/// The account with this address, which keeps it until the change ends: a code for one address must not prove
/// another one that the account is given at the same moment.
async fn holder(tx: &mut Tx, email: &Email) -> Result<Option<UserRow>> {
    let Some(user) = users::find_by_email(&mut *tx, email.as_str()).await? else { return Ok(None) };
    users::lock(tx, user.id).await?;
    Ok(users::find_by_id(&mut *tx, user.id).await?.filter(|user| user.email == *email))
}

/// Whether the account is somebody's who signs in: with a password, or with a provider and no password yet. The hub's
/// own sample account has neither, and must not get one.
async fn may_set_password(from: impl Reads, user: &UserRow) -> Result<bool> {
    Ok(user.password_hash.is_some() || !identities::list(from, user.id).await?.is_empty())
}

async fn verified(tx: &mut Tx, user: &UserRow, now: Timestamp) -> Result<UserRow> {
    if user.is_email_verified {
        return Ok(user.clone());
    }
    let change = ProfileChange { is_email_verified: Some(true), ..ProfileChange::default() };
    users::update_profile(tx, user.id, &change, now).await?.ok_or_else(wrong)
}

fn within(sent: Sent, rule: Rule, now: Timestamp) -> Result<()> {
    if sent.codes < i64::from(rule.max) {
        return Ok(());
    }
    let wait = sent.first_at.map_or(rule.window, |first| first.plus(rule.window).since(now));
    let wait = Duration::from_secs(wait.as_secs() + 1);
    let text = format!("Too many codes were asked for; try again in {} minutes", wait.as_secs().div_ceil(60));
    Err(Error::coded(ErrorCode::OtpRateLimited, text).with_retry_after(wait))
}

fn wrong() -> Error {
    let text = "The code is wrong or no longer good; check it, or ask for a new one";
    Error::coded(ErrorCode::InvalidOtp, text)
}

fn too_many() -> Error {
    Error::coded(ErrorCode::OtpMaxAttempts, "Too many wrong codes; ask for a new one")
}
