//! Makes the tokens of a grant.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};
use syfthub_auth::at_jwt::{Audience, Claims, Confirmation};
use syfthub_config::Secret;
use syfthub_domain::Result;
use syfthub_proto::oauth as wire;
use syfthub_web::dpop::SCHEME;
use uuid::Uuid;

use super::OAuth;
use super::error::OAuthResult;
use super::registration::unkept;
use super::urls::Resource;

/// Life of access and ID tokens, in seconds.
const LIFE: i64 = 3600;

/// The answer of the token endpoint (RFC 6749, section 5.1).
pub(super) async fn issue(
    oauth: &OAuth,
    grant: &wire::Grant,
    scopes: &[String],
    nonce: &str,
    refresh: Option<Secret>,
) -> OAuthResult<Response> {
    let access = access_token(oauth, grant, scopes).await?;
    let mut told = Map::new();
    told.insert("access_token".to_owned(), json!(access.expose()));
    told.insert("token_type".to_owned(), json!(token_type(!grant.dpop_jkt.is_empty())));
    told.insert("expires_in".to_owned(), json!(life(oauth, grant)));
    told.insert("scope".to_owned(), json!(scopes.join(" ")));
    if let Some(refresh) = refresh {
        told.insert("refresh_token".to_owned(), json!(refresh.expose()));
    }
    if scopes.iter().any(|scope| scope == "openid") {
        let id = oauth.0.keys.sign_id(&id_claims(oauth, grant, scopes, nonce)).await?;
        told.insert("id_token".to_owned(), json!(id.expose()));
    }
    Ok(unkept(StatusCode::OK, told))
}

/// What a token is shown as (RFC 6750, RFC 9449).
pub(super) const fn token_type(bound: bool) -> &'static str {
    if bound { SCHEME } else { "Bearer" }
}

/// The answer to an exchange for an access token (RFC 8693, section 2.2.1).
pub(super) async fn exchanged(
    oauth: &OAuth,
    grant: &wire::Grant,
    scopes: &[String],
) -> OAuthResult<Response> {
    let access = access_token(oauth, grant, scopes).await?;
    let mut told = Map::new();
    told.insert("access_token".to_owned(), json!(access.expose()));
    told.insert("issued_token_type".to_owned(), json!("urn:ietf:params:oauth:token-type:access_token"));
    told.insert("token_type".to_owned(), json!(token_type(!grant.dpop_jkt.is_empty())));
    told.insert("expires_in".to_owned(), json!(life(oauth, grant)));
    told.insert("scope".to_owned(), json!(scopes.join(" ")));
    Ok(unkept(StatusCode::OK, told))
}

/// How long an access token of a grant is good, in seconds: an hour, unless the grant ends before.
fn life(oauth: &OAuth, grant: &wire::Grant) -> i64 {
    let left = grant.expires_at.saturating_sub(oauth.0.clock.now().as_secs());
    if grant.expires_at == 0 { LIFE } else { left.clamp(0, LIFE) }
}

async fn access_token(oauth: &OAuth, grant: &wire::Grant, scopes: &[String]) -> Result<Secret> {
    let now = oauth.0.clock.now().as_secs();
    let mut audience = vec![grant.resource.clone()];
    if oauth.urls().resource(&grant.resource) == Some(Resource::Mcp) {
        audience.push(oauth.0.audience.clone());
    }
    let claims = Claims {
        iss: oauth.urls().issuer().to_owned(),
        aud: Audience(audience),
        sub: subject(grant),
        client_id: grant.client_id.clone(),
        scope: scopes.join(" "),
        iat: now,
        exp: now.saturating_add(life(oauth, grant)),
        jti: Uuid::new_v4().to_string(),
        sid: grant.id.clone(),
        auth_time: (grant.auth_time > 0).then_some(grant.auth_time),
        email: grant.principal.as_ref().map(|person| person.email.clone()),
        cnf: Some(&grant.dpop_jkt).filter(|jkt| !jkt.is_empty()).map(|jkt| Confirmation { jkt: jkt.clone() }),
    };
    oauth.0.keys.sign_access(&claims).await
}

/// The user's id; a client that acts for itself is its own subject.
fn subject(grant: &wire::Grant) -> String {
    grant.principal.as_ref().map_or_else(|| grant.client_id.clone(), |person| person.user_id.to_string())
}

/// OpenID Connect Core 1.0, section 2, with what the scopes tell about the person.
fn id_claims(oauth: &OAuth, grant: &wire::Grant, scopes: &[String], nonce: &str) -> Value {
    let now = oauth.0.clock.now().as_secs();
    let mut claims = person(grant, scopes);
    for (name, value) in [
        ("iss", json!(oauth.urls().issuer())),
        ("aud", json!(grant.client_id)),
        ("iat", json!(now)),
        ("exp", json!(now.saturating_add(LIFE))),
        ("auth_time", json!(grant.auth_time)),
    ] {
        claims.insert(name.to_owned(), value);
    }
    if !nonce.is_empty() {
        claims.insert("nonce".to_owned(), json!(nonce));
    }
    Value::Object(claims)
}

/// What the scopes tell about a person, under the names of OpenID Connect.
pub(super) fn person(grant: &wire::Grant, scopes: &[String]) -> Map<String, Value> {
    let mut told = Map::new();
    told.insert("sub".to_owned(), json!(subject(grant)));
    let Some(person) = &grant.principal else { return told };
    let asked = |name: &str| scopes.iter().any(|scope| scope == name);
    if asked("profile") {
        told.insert("name".to_owned(), json!(person.full_name));
        told.insert("preferred_username".to_owned(), json!(person.username));
    }
    if asked("email") {
        told.insert("email".to_owned(), json!(person.email));
        told.insert("email_verified".to_owned(), json!(grant.email_verified));
    }
    told
}
