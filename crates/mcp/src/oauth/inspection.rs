//! What can be asked about a token: to end it (RFC 7009), whether it is good (RFC 7662), and whose it is (OpenID
//! Connect Core 1.0, section 5.3).

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use syfthub_auth::at_jwt::Claims;
use syfthub_proto::oauth as wire;
use syfthub_proto::oauth::revoke_grant_request::What;
use syfthub_web::dpop::Bound;
use syfthub_web::{Bearer, ClientIp};

use super::client_proof::prove;
use super::error::{OAuthError, OAuthResult};
use super::issuing::{person, token_type};
use super::key_proof::Shown;
use super::metadata::Proof;
use super::params::Params;
use super::registration::unkept;
use super::secrets::{self, REFRESH_PREFIX};
use super::{OAuth, Resource};

const ANYWHERE: [Resource; 2] = [Resource::Mcp, Resource::Api];
/// Longest refresh token that is looked at.
const LONGEST: usize = 256;

/// Ends the grant of a token of this client. What is not known needs no ending.
pub(super) async fn revoke(
    State(oauth): State<OAuth>,
    from: ClientIp,
    headers: HeaderMap,
    body: Bytes,
) -> OAuthResult<Response> {
    oauth.0.limits.program(from).await?;
    let params = Params::parse(&body);
    let client = prove(&oauth, &headers, &params, from).await?;
    let token = params.one("token")?.ok_or_else(|| OAuthError::invalid_request("token is missing"))?;
    let what = if token.starts_with(REFRESH_PREFIX) {
        (token.len() <= LONGEST).then(|| What::RefreshTokenHash(secrets::hash(token)))
    } else {
        let claims = oauth.verify(token, &ANYWHERE).await?.ok();
        claims.filter(|claims| claims.client_id == client.id).map(|claims| What::GrantId(claims.sid))
    };
    if let Some(what) = what {
        let request = wire::RevokeGrantRequest { what: Some(what), client_id: client.id };
        oauth.0.hub.revoke_grant(request).await?;
    }
    Ok((StatusCode::OK, [(header::CACHE_CONTROL, "no-store")]).into_response())
}

/// Tells a client about a token of its own. Of those of others it learns nothing.
pub(super) async fn introspect(
    State(oauth): State<OAuth>,
    from: ClientIp,
    headers: HeaderMap,
    body: Bytes,
) -> OAuthResult<Response> {
    oauth.0.limits.program(from).await?;
    let params = Params::parse(&body);
    let client = prove(&oauth, &headers, &params, from).await?;
    if client.metadata.proof() == Proof::None {
        return Err(OAuthError::invalid_client("Only a client with a secret or a key may ask about tokens"));
    }
    let token = params.one("token")?.ok_or_else(|| OAuthError::invalid_request("token is missing"))?;
    let mut told = Map::new();
    if token.starts_with(REFRESH_PREFIX) {
        let found = oauth.0.hub.refresh_token(secrets::hash(token), &client.id).await?;
        told.insert("active".to_owned(), json!(found.is_some()));
        told.extend(found.map(|found| refresh_facts(&oauth, found)).unwrap_or_default());
        return Ok(unkept(StatusCode::OK, told));
    }
    let claims = oauth.verify(token, &ANYWHERE).await?.ok().filter(|claims| claims.client_id == client.id);
    let live = match claims {
        Some(claims) => oauth.0.hub.grant(&claims.sid).await?.map(|grant| (claims, grant)),
        None => None,
    };
    told.insert("active".to_owned(), json!(live.is_some()));
    if let Some((claims, grant)) = live {
        told.extend(facts(&claims, grant));
    }
    Ok(unkept(StatusCode::OK, told))
}

fn facts(claims: &Claims, grant: wire::Grant) -> Map<String, Value> {
    let username = grant.principal.map(|person| person.username);
    let facts = [
        ("scope", json!(claims.scope)),
        ("client_id", json!(claims.client_id)),
        ("username", json!(username)),
        ("token_type", json!(token_type(claims.cnf.is_some()))),
        ("cnf", json!(claims.cnf)),
        ("exp", json!(claims.exp)),
        ("iat", json!(claims.iat)),
        ("sub", json!(claims.sub)),
        ("aud", json!(claims.aud)),
        ("iss", json!(claims.iss)),
        ("jti", json!(claims.jti)),
    ];
    facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A refresh token has no type of its own in the standard (RFC 7662, section 2.2), so none is told.
fn refresh_facts(oauth: &OAuth, found: wire::FindRefreshTokenResponse) -> Map<String, Value> {
    let grant = found.grant.unwrap_or_default();
    let mut facts = Map::new();
    for (name, value) in [
        ("scope", json!(grant.scopes.join(" "))),
        ("client_id", json!(grant.client_id)),
        ("exp", json!(found.expires_at)),
        ("iat", json!(found.created_at)),
        ("aud", json!(grant.resource)),
        ("iss", json!(oauth.urls().issuer())),
    ] {
        facts.insert(name.to_owned(), value);
    }
    if let Some(person) = grant.principal {
        facts.insert("sub".to_owned(), json!(person.user_id.to_string()));
        facts.insert("username".to_owned(), json!(person.username));
    }
    facts
}

/// Tells whose a token is, as far as its scopes allow.
pub(super) async fn userinfo(
    State(oauth): State<OAuth>,
    from: ClientIp,
    method: Method,
    headers: HeaderMap,
) -> OAuthResult<Response> {
    oauth.0.limits.program(from).await?;
    let wrong = || OAuthError::invalid_token("The access token is not good, or over");
    let bound = Bound::from_headers(&headers);
    let token = bound.as_ref().map(|Bound(token)| token.clone()).or(Bearer::from_headers(&headers).0);
    let token = token.ok_or_else(OAuthError::token_missing)?;
    let claims = oauth.verify(token.expose(), &ANYWHERE).await?.map_err(|_| wrong())?;
    match (&claims.cnf, bound) {
        (None, None) => {}
        (Some(key), Some(Bound(token))) => {
            let addresses = oauth.addresses("/oauth/userinfo");
            let request = Shown { method: &method, headers: &headers, addresses: &addresses };
            oauth.proves(request, &token, key).await.map_err(OAuthError::unproven)?;
        }
        _ => return Err(wrong()),
    }
    let grant = oauth.0.hub.grant(&claims.sid).await?.ok_or_else(wrong)?;
    let scopes: Vec<String> = claims.scopes().map(str::to_owned).collect();
    if !scopes.iter().any(|scope| scope == "openid") {
        return Err(OAuthError::insufficient_scope("openid"));
    }
    let told = Value::Object(person(&grant, &scopes));
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(told)).into_response())
}
