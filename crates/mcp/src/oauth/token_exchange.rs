//! One token for another (RFC 8693): for a token that proves its user to the service of somebody, or for an access token
//! with fewer rights or for another resource. Nobody acts for somebody else: a token with an actor is not issued.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde_json::{Map, json};
use syfthub_auth::grant_ticket;
use syfthub_domain::{Error, ErrorCode};
use syfthub_proto::oauth as wire;
use syfthub_web::ClientIp;

use super::authorize::resource;
use super::client_proof::prove;
use super::error::{OAuthError, OAuthResult};
use super::issuing::exchanged;
use super::key_proof::proof_of_key;
use super::metadata::TOKEN_EXCHANGE;
use super::params::Params;
use super::registration::unkept;
use super::secrets::{CODE_PREFIX, REFRESH_PREFIX};
use super::token::issued;
use super::{OAuth, Resource, scopes};

const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
/// Longest token that is looked at.
const LONGEST: usize = 8 * 1024;
/// Longest username that is looked at.
const LONGEST_AUDIENCE: usize = 255;

/// What the new token is for.
enum Target {
    /// The services of a user.
    Services(String),
    /// A resource of this server.
    Resource(Resource),
}

/// Exchanges a token.
pub(super) async fn exchange(
    oauth: &OAuth,
    headers: &HeaderMap,
    params: &Params,
    from: ClientIp,
) -> OAuthResult<Response> {
    if params.one("actor_token")?.is_some() || params.one("actor_token_type")?.is_some() {
        let text = "Tokens with an actor are not issued here; send subject_token alone, and the new token stands for its user";
        return Err(OAuthError::invalid_request(text));
    }
    let subject = subject(params)?;
    match target(oauth, params)? {
        Target::Services(audience) => {
            // Whoever holds the token can have this one from the hub as well, so a client need not say who it is. One
            // that does has to prove it.
            if params.one("client_id")?.is_some() || headers.contains_key(header::AUTHORIZATION) {
                prove(oauth, headers, params, from).await?;
            }
            requested(params, &[JWT])?;
            for_services(oauth, subject, &audience).await
        }
        Target::Resource(resource) => {
            requested(params, &[ACCESS_TOKEN, JWT])?;
            let client = prove(oauth, headers, params, from).await?;
            if !client.metadata.exchanges(TOKEN_EXCHANGE) {
                let text = "This client was not made or registered with the grant type of token exchange";
                return Err(OAuthError::new("unauthorized_client", text));
            }
            let key = proof_of_key(oauth, headers, &client, "/oauth/token").await?;
            let over =
                || OAuthError::new("invalid_scope", "None of these scopes can be had at this resource");
            let mut wanted = scopes::wanted(params.one("scope")?, resource).ok_or_else(over)?;
            wanted.retain(|scope| scopes::opens(scope));
            let request = wire::BeginGrantRequest {
                client_id: client.id.clone(),
                client_name: client.name(),
                resource: oauth.urls().name_of(resource).to_owned(),
                scopes: wanted,
                credential: subject.to_owned(),
                dpop_jkt: key,
            };
            let answer = oauth.0.hub.begin_grant(request).await.map_err(refused)?;
            let (grant, scopes, _) = issued(answer)?;
            tracing::info!(client_id = client.id, grant = grant.id, "oauth.token.exchanged");
            exchanged(oauth, &grant, &scopes).await
        }
    }
}

/// The token that is exchanged. What only this server and its clients show one another is none.
fn subject(params: &Params) -> OAuthResult<&str> {
    let missing = |name: &str| OAuthError::invalid_request(format!("{name} is missing"));
    let token = params.one("subject_token")?.ok_or_else(|| missing("subject_token"))?;
    let kind = params.one("subject_token_type")?.ok_or_else(|| missing("subject_token_type"))?;
    if kind != ACCESS_TOKEN && kind != JWT {
        return Err(OAuthError::invalid_request(format!(
            "subject_token_type must be {ACCESS_TOKEN} or {JWT}"
        )));
    }
    let strange = token.starts_with(REFRESH_PREFIX) || token.starts_with(CODE_PREFIX);
    if strange || token.len() > LONGEST || grant_ticket::is_ticket(token) {
        return Err(not_good());
    }
    Ok(token)
}

fn not_good() -> OAuthError {
    OAuthError::invalid_request(
        "subject_token is not good here or is over; send a hub token, a personal access token, or an access token for the hub's API",
    )
}

/// The one thing that the new token is for. A resource can also be named as audience.
fn target(oauth: &OAuth, params: &Params) -> OAuthResult<Target> {
    let audiences: Vec<&str> = params.all("audience").filter(|given| !given.is_empty()).collect();
    let has_resource = params.all("resource").any(|given| !given.is_empty());
    match (audiences.as_slice(), has_resource) {
        ([], true) => Ok(Target::Resource(resource(oauth, params)?)),
        ([one], false) if oauth.urls().resource(one).is_some() => Ok(oauth
            .urls()
            .resource(one)
            .map_or_else(|| Target::Services((*one).to_owned()), Target::Resource)),
        ([one], false) if one.len() <= LONGEST_AUDIENCE => Ok(Target::Services((*one).to_owned())),
        ([], false) => Err(OAuthError::invalid_request(
            "Say what the token is for: audience, a username, or resource, one of this server",
        )),
        _ => Err(OAuthError::new(
            "invalid_target",
            "A token is for one audience or one resource; ask for each of them",
        )),
    }
}

fn requested(params: &Params, offered: &[&str]) -> OAuthResult<()> {
    match params.one("requested_token_type")? {
        Some(kind) if !offered.contains(&kind) => {
            Err(OAuthError::invalid_request(format!("requested_token_type must be {}", offered.join(" or "))))
        }
        _ => Ok(()),
    }
}

async fn for_services(oauth: &OAuth, subject: &str, audience: &str) -> OAuthResult<Response> {
    let minted = oauth.0.hub.satellite_token(subject, audience).await.map_err(refused)?;
    let minted = minted.map_err(|failure| OAuthError::new("invalid_target", failure.message))?;
    let mut told = Map::new();
    told.insert("access_token".to_owned(), json!(minted.token));
    told.insert("issued_token_type".to_owned(), json!(JWT));
    told.insert("token_type".to_owned(), json!("Bearer"));
    told.insert("expires_in".to_owned(), json!(minted.expires_in_seconds));
    Ok(unkept(StatusCode::OK, told))
}

/// A token that the hub does not take is a fault of the request (RFC 8693, section 2.2.2).
fn refused(error: Error) -> OAuthError {
    match error.code {
        ErrorCode::Unauthenticated | ErrorCode::PermissionDenied => not_good(),
        _ => error.into(),
    }
}
