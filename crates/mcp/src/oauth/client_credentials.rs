//! A client that asks for itself (RFC 6749, section 4.4). Only one that an operator made can, and it acts as the account
//! that the operator named.

use axum::response::Response;
use syfthub_domain::{Error, ErrorCode};
use syfthub_proto::oauth as wire;

use super::authorize::resource;
use super::clients::Client;
use super::error::{OAuthError, OAuthResult};
use super::issuing::issue;
use super::metadata::{CLIENT_CREDENTIALS, Proof};
use super::params::Params;
use super::token::issued;
use super::{OAuth, scopes};

/// Issues an access token, and never a refresh token: the credentials are as good.
pub(super) async fn by_own(
    oauth: &OAuth,
    client: &Client,
    params: &Params,
    key: String,
) -> OAuthResult<Response> {
    if !client.metadata.exchanges(CLIENT_CREDENTIALS) || client.metadata.proof() == Proof::None {
        let text = "This client may not use client_credentials; an operator makes one that may with `syfthub clients add --act-as`";
        return Err(unauthorized(text));
    }
    let resource = resource(oauth, params)?;
    let most = client.metadata.scope().unwrap_or("read");
    let wanted = scopes::wanted(params.one("scope")?.or(Some(most)), resource);
    let over = || {
        let text = format!("This client may ask for {most}, and for full at the hub's API only");
        OAuthError::new("invalid_scope", text)
    };
    let mut wanted = wanted.ok_or_else(over)?;
    wanted.retain(|scope| scopes::opens(scope));
    if !wanted.iter().all(|scope| most.split(' ').any(|allowed| allowed == scope)) {
        return Err(over());
    }
    let request = wire::BeginGrantRequest {
        client_id: client.id.clone(),
        client_name: client.name(),
        resource: oauth.urls().name_of(resource).to_owned(),
        scopes: wanted,
        credential: String::new(),
        dpop_jkt: key,
    };
    let answer = oauth.0.hub.begin_grant(request).await.map_err(refused)?;
    let (grant, scopes, _) = issued(answer)?;
    tracing::info!(client_id = client.id, grant = grant.id, "oauth.client.signed_in");
    issue(oauth, &grant, &scopes, "", None).await
}

fn unauthorized(text: impl Into<String>) -> OAuthError {
    OAuthError::new("unauthorized_client", text)
}

/// The hub says which account is missing or switched off.
fn refused(error: Error) -> OAuthError {
    if error.code == ErrorCode::PermissionDenied { unauthorized(error.message) } else { error.into() }
}
