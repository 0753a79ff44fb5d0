//! Sessions of browsers: the cookie is set and cleared here only.

use axum::extract::FromRequestParts;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;
use syfthub_auth::Principal;
use syfthub_domain::{Error, Result};
use syfthub_store::sessions::{self, NewSession};
use syfthub_store::users::UserRow;
use syfthub_web::browser::{BrowserCookie, PREFIX};
use syfthub_web::{ApiError, QueryFields};
use utoipa::IntoParams;
use uuid::Uuid;

use super::{Pair, Sessions};
use crate::access::browser::{LONGEST, end, hash};
use crate::audit::activity::{Kind, Whose};
use crate::audit::origin::{client_address, client_agent};
use crate::router::AppState;

/// What a client wants to stay signed in with: the `session` parameter of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Tokens in the answer.
    Tokens,
    /// A cookie, out of the reach of scripts; for pages of the hub itself.
    Cookie,
}

/// The query that [`Keep`] reads, for the API document.
#[derive(Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct KeepQuery {
    /// What to stay signed in with: `tokens` in the answer, or a `cookie` that no script can read, for pages of the
    /// hub itself; the tokens are null then.
    #[param(pattern = "^(tokens|cookie)$", example = "tokens", required = false)]
    pub session: Option<String>,
}

/// A session that has begun.
#[derive(Debug)]
pub(crate) enum Started {
    /// With tokens.
    Tokens(Pair),
    /// With a cookie.
    Cookie(SetCookie),
}

/// A `Set-Cookie` header.
#[derive(Debug, Clone)]
pub(crate) struct SetCookie(HeaderValue);

impl SetCookie {
    /// A cookie that pages of other sites do not make a browser send, but links do. `Max-Age` 0 takes it away.
    pub(crate) fn new(
        cookie: &BrowserCookie,
        name: &str,
        value: &str,
        path: &str,
        max_age: u64,
    ) -> Result<Self> {
        let secure = if cookie.is_secure() { "; Secure" } else { "" };
        let text = format!("{name}={value}; Path={path}; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}");
        let mut header = HeaderValue::from_str(&text).map_err(Error::internal)?;
        header.set_sensitive(true);
        Ok(Self(header))
    }

    /// Takes the session cookie away.
    pub(crate) fn gone(cookie: &BrowserCookie) -> Result<Self> {
        Self::new(cookie, cookie.name(), "", "/", 0)
    }

    /// The whole header.
    pub(crate) fn text(&self) -> Result<&str> {
        self.0.to_str().map_err(Error::internal)
    }

    /// Adds it to the headers of an answer, beside other cookies.
    pub(crate) fn add_to(self, headers: &mut HeaderMap) {
        headers.append(header::SET_COOKIE, self.0);
    }

    /// As headers of an answer that nobody may store.
    pub(crate) fn into_headers(self) -> HeaderMap {
        let no_store = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        HeaderMap::from_iter([(header::SET_COOKIE, self.0), no_store])
    }
}

impl Started {
    /// The headers of the answer that tells it.
    pub(crate) fn headers(&self) -> HeaderMap {
        match self {
            Self::Tokens(_) => HeaderMap::new(),
            Self::Cookie(cookie) => cookie.clone().into_headers(),
        }
    }

    /// The tokens, if it has some.
    pub(crate) fn pair(&self) -> Option<&Pair> {
        match self {
            Self::Tokens(pair) => Some(pair),
            Self::Cookie(_) => None,
        }
    }
}

impl FromRequestParts<AppState> for Keep {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let Ok(QueryFields(mut fields)) = QueryFields::from_request_parts(parts, state).await;
        let keep = fields.string("session").parse(read).or(Self::Tokens);
        fields.finish()?;
        if keep == Self::Cookie {
            // Or another site could sign somebody in to an account that is not theirs.
            state.access.cookie().require_same_origin(&parts.headers)?;
        }
        Ok(keep)
    }
}

fn read(text: &str) -> std::result::Result<Keep, String> {
    match text {
        "tokens" => Ok(Keep::Tokens),
        "cookie" => Ok(Keep::Cookie),
        _ => Err("must be `tokens` or `cookie`".to_owned()),
    }
}

impl Sessions {
    /// Starts a session of the wanted kind. `stamp` records the sign-in.
    pub(crate) async fn begin(&self, user: &UserRow, stamp: bool, keep: Keep) -> Result<Started> {
        match keep {
            Keep::Tokens => self.start(user, stamp).await.map(Started::Tokens),
            Keep::Cookie => self.start_browser(user, stamp).await.map(Started::Cookie),
        }
    }

    /// Starts the session of a browser.
    pub(crate) async fn start_browser(&self, user: &UserRow, stamp: bool) -> Result<SetCookie> {
        let value = format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
        let now = self.clock.now();
        let new = NewSession {
            id: Uuid::now_v7().to_string(),
            user_id: user.id,
            token_hash: hash(&value),
            token_epoch: user.token_epoch,
            device: client_agent(),
            address: client_address().map(|address| address.to_string()),
            created_at: now,
            expires_at: end(now, now),
        };
        let mut tx = self.db.begin().await?;
        sessions::insert(&mut tx, &new).await?;
        self.signed_in(&mut tx, user, stamp, now).await?;
        tx.commit().await?;
        // The hub ends a session that is not used; the browser keeps the cookie as long as any session may last.
        let cookie = self.access.cookie();
        SetCookie::new(cookie, cookie.name(), &value, "/", LONGEST.as_secs())
    }

    /// Ends the browser session behind a cookie, if it is one.
    pub(crate) async fn end_browser(&self, principal: &Principal) -> Result<()> {
        if let Some(session) = &principal.session {
            let mut tx = self.db.begin().await?;
            sessions::end(&mut tx, principal.user_id, session, self.clock.now()).await?;
            tx.commit().await?;
            self.access.forget_user(principal.user_id).await;
        }
        tracing::info!(target: "syfthub.api.auth", user_id = principal.user_id.0, "auth.logout");
        self.note(Kind::Logout, Whose::User(principal.user_id), None);
        Ok(())
    }
}
