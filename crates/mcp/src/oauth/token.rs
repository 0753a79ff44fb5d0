//! The token endpoint (RFC 6749, section 3.2).

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use syfthub_proto::oauth as wire;
use syfthub_web::ClientIp;

use super::authorize::resource;
use super::client_proof::prove;
use super::clients::Client;
use super::error::{OAuthError, OAuthResult};
use super::issuing::issue;
use super::key_proof::proof_of_key;
use super::metadata::{CLIENT_CREDENTIALS, DEVICE_CODE, GRANT_TYPES, Proof, TOKEN_EXCHANGE};
use super::params::Params;
use super::secrets::{self, CODE_PREFIX, REFRESH_PREFIX};
use super::{OAuth, client_credentials, device, scopes, token_exchange};

/// Life of a refresh token that is not used, in seconds: 30 days.
pub(super) const REFRESH_SECONDS: u32 = 30 * 24 * 3600;
/// Longest secret that is looked at.
pub(super) const LONGEST: usize = 256;

/// Exchanges a code, a refresh token, a client's own credentials, or another token.
pub(super) async fn token(
    State(oauth): State<OAuth>,
    from: ClientIp,
    headers: HeaderMap,
    body: Bytes,
) -> OAuthResult<Response> {
    oauth.0.limits.program(from).await?;
    let params = Params::parse(&body);
    let kind = params.one("grant_type")?;
    let kind = kind.ok_or_else(|| OAuthError::invalid_request("grant_type is missing"))?;
    if kind == TOKEN_EXCHANGE {
        return token_exchange::exchange(&oauth, &headers, &params, from).await;
    }
    let client = prove(&oauth, &headers, &params, from).await?;
    let key = proof_of_key(&oauth, &headers, &client, "/oauth/token").await?;
    match kind {
        "authorization_code" => by_code(&oauth, &client, &params, key).await,
        "refresh_token" => by_refresh(&oauth, &client, &params, key).await,
        DEVICE_CODE => device::redeem(&oauth, &client, &params, key).await,
        CLIENT_CREDENTIALS => client_credentials::by_own(&oauth, &client, &params, key).await,
        _ => {
            let text = format!("grant_type must be one of {}", GRANT_TYPES.join(", "));
            Err(OAuthError::new("unsupported_grant_type", text))
        }
    }
}

async fn by_code(oauth: &OAuth, client: &Client, params: &Params, key: String) -> OAuthResult<Response> {
    let code = params.one("code")?.ok_or_else(|| OAuthError::invalid_request("code is missing"))?;
    let unknown = || OAuthError::invalid_grant("The code is not known, was used before, or is too old");
    if !code.starts_with(CODE_PREFIX) || code.len() > LONGEST {
        return Err(unknown());
    }
    let verifier = params.one("code_verifier")?;
    let verifier = verifier.ok_or_else(|| OAuthError::invalid_grant("code_verifier is missing"))?;
    if !is_verifier(verifier) {
        return Err(OAuthError::invalid_grant("code_verifier must be 43 to 128 unreserved characters"));
    }
    let refresh = client.metadata.refreshes().then(|| secrets::random(REFRESH_PREFIX));
    let request = wire::RedeemCodeRequest {
        code_hash: secrets::hash(code),
        client_id: client.id.clone(),
        redirect_uri: params.one("redirect_uri")?.unwrap_or_default().to_owned(),
        code_challenge: secrets::challenge(verifier),
        resource: named_resource(oauth, params)?,
        dpop_jkt: key.clone(),
        refresh_token_hash: refresh.as_ref().map(|token| secrets::hash(token.expose())).unwrap_or_default(),
        refresh_ttl_seconds: REFRESH_SECONDS,
        any_key_later: client.metadata.proof() != Proof::None,
    };
    let answer = oauth.0.hub.redeem_code(request).await?;
    let (grant, scopes, nonce) = issued(answer)?;
    let grant = wire::Grant { dpop_jkt: key, ..grant };
    tracing::info!(client_id = client.id, grant = grant.id, "oauth.code.exchanged");
    issue(oauth, &grant, &scopes, &nonce, refresh).await
}

async fn by_refresh(oauth: &OAuth, client: &Client, params: &Params, key: String) -> OAuthResult<Response> {
    if !client.metadata.refreshes() {
        let text = "This client registered without the grant type refresh_token";
        return Err(OAuthError::new("unauthorized_client", text));
    }
    let token = params.one("refresh_token")?;
    let token = token.ok_or_else(|| OAuthError::invalid_request("refresh_token is missing"))?;
    if !token.starts_with(REFRESH_PREFIX) || token.len() > LONGEST {
        return Err(OAuthError::invalid_grant("The refresh token is not known or is over"));
    }
    let next = secrets::successor(&oauth.0.refresh_key, token);
    let request = wire::RotateRefreshTokenRequest {
        token_hash: secrets::hash(token),
        next_hash: secrets::hash(next.expose()),
        refresh_ttl_seconds: REFRESH_SECONDS,
        client_id: client.id.clone(),
        resource: named_resource(oauth, params)?,
        scopes: narrowed(params.one("scope")?),
        dpop_jkt: key.clone(),
    };
    let answer = oauth.0.hub.rotate_refresh_token(request).await?;
    let (grant, scopes, _) = issued(answer)?;
    let grant = wire::Grant { dpop_jkt: key, ..grant };
    issue(oauth, &grant, &scopes, "", Some(next)).await
}

/// The scopes that a refresh is narrowed to. One that names nothing that opens something keeps `read`, as it was at
/// the beginning.
fn narrowed(given: Option<&str>) -> Vec<String> {
    let words = given.unwrap_or_default().split(' ').filter(|word| !word.is_empty());
    let mut named: Vec<String> = words.map(str::to_owned).collect();
    if !named.is_empty() && !named.iter().any(|scope| scopes::opens(scope)) {
        named.push("read".to_owned());
    }
    named
}

/// The name of the resource that a client asks for, or nothing.
fn named_resource(oauth: &OAuth, params: &Params) -> OAuthResult<String> {
    if params.all("resource").all(str::is_empty) {
        return Ok(String::new());
    }
    Ok(oauth.urls().name_of(resource(oauth, params)?).to_owned())
}

/// RFC 7636, section 4.1.
fn is_verifier(text: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    (43..=128).contains(&text.len()) && text.bytes().all(unreserved)
}

/// What the hub gave, or the standard's word for why it gave nothing.
pub(super) fn issued(answer: wire::IssueResponse) -> OAuthResult<(wire::Grant, Vec<String>, String)> {
    use wire::Outcome;
    let outcome = answer.outcome();
    let text = match outcome {
        Outcome::Issued => {
            let missing = || syfthub_domain::Error::internal("the hub issued no grant");
            return Ok((answer.grant.ok_or_else(missing)?, answer.scopes, answer.nonce));
        }
        Outcome::ScopeExceeded => {
            let text = "More was asked for than was granted";
            return Err(OAuthError::new("invalid_scope", text));
        }
        Outcome::Unspecified | Outcome::Unknown => "It is not known here, or it is over",
        Outcome::Expired => "It is too old",
        Outcome::Reused => "It was used before; everything that was issued for it is revoked",
        Outcome::Mismatch => {
            "It belongs to another client, redirect_uri, code_verifier, resource or key (DPoP) than the request names"
        }
        Outcome::Revoked => "The grant was ended; sign in again",
    };
    tracing::info!(outcome = outcome.as_str_name(), "oauth.token.refused");
    Err(OAuthError::invalid_grant(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_keeps_what_makes_a_token_useful() {
        assert!(narrowed(None).is_empty());
        assert_eq!(narrowed(Some("openid")), ["openid", "read"]);
        assert_eq!(narrowed(Some("write")), ["write"]);
    }

    #[test]
    fn verifiers_have_the_form_of_the_standard() {
        assert!(is_verifier(&"a.-_~".repeat(9)));
        for bad in ["a".repeat(42), "a".repeat(129), format!("{}+", "a".repeat(50)), "\u{e4}".repeat(43)] {
            assert!(!is_verifier(&bad), "{bad}");
        }
    }
}
