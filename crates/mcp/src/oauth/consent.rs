//! The page on which a person agrees, and their answer.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use syfthub_domain::Result;
use syfthub_web::ClientIp;

use super::approval::{agree, failed, person, proceed, refuse};
use super::params::Params;
use super::pending::Pending;
use super::{OAuth, device, pages};

/// Shows what a request needs now.
pub(super) async fn page(
    State(oauth): State<OAuth>,
    from: ClientIp,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let params = Params::parse(query.unwrap_or_default().as_bytes());
    match oauth.0.pendings.open(params.first("request"), &headers, &oauth.0.browser) {
        Some(pending) => proceed(&oauth, from, &headers, &pending).await,
        None => pages::over(&oauth).await,
    }
}

/// Takes the person's answer.
pub(super) async fn decide(
    State(oauth): State<OAuth>,
    from: ClientIp,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let params = Params::parse(&body);
    let pending = match oauth.own_form(&headers, &params).await {
        Ok(pending) => pending,
        Err(answer) => return *answer,
    };
    if pending.device.is_some() {
        return device::decide(&oauth, from, &headers, &params, &pending).await;
    }
    if params.first("decision") != "allow" {
        return refuse(&oauth, &pending, "access_denied");
    }
    match answered(&oauth, from, &headers, &params, &pending).await {
        Ok(answer) => answer,
        Err(error) => failed(&oauth, error).await,
    }
}

async fn answered(
    oauth: &OAuth,
    from: ClientIp,
    headers: &HeaderMap,
    params: &Params,
    pending: &Pending,
) -> Result<Response> {
    let Some(person) = person(oauth, headers).await? else {
        return Ok(pages::sign_in(oauth, pending, &pages::Attempt::default()).await);
    };
    // Somebody else may have signed in with another tab since the page was shown.
    if params.first("user") != person.user_id.to_string() {
        return Ok(pages::consent(oauth, pending, &person).await);
    }
    agree(oauth, from, pending, &person).await
}

impl OAuth {
    /// The request behind a form, if one of our own pages sent it from the browser that began.
    pub(super) async fn own_form(
        &self,
        headers: &HeaderMap,
        params: &Params,
    ) -> std::result::Result<Pending, Box<Response>> {
        if !self.is_own_page(headers) {
            return Err(Box::new(pages::foreign(self).await));
        }
        match self.0.pendings.open(params.first("request"), headers, &self.0.browser) {
            Some(pending) => Ok(pending),
            None => Err(Box::new(pages::over(self).await)),
        }
    }

    /// Pages that send no referrer send no origin either; on plain HTTP, where browsers do not say which site a form is
    /// from, the mark of the browser is what remains, which does not come with forms of other sites.
    fn is_own_page(&self, headers: &HeaderMap) -> bool {
        if self.0.browser.require_same_origin(headers).is_ok() {
            return true;
        }
        let origin = headers.get("origin").map(HeaderValue::as_bytes);
        !self.0.browser.is_secure() && !headers.contains_key("sec-fetch-site") && origin == Some(b"null")
    }
}
