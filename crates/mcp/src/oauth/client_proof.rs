//! Who is at the token endpoint (RFC 6749, section 2.3): a client with its secret in a header or in the body, or one
//! that has none.

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use syfthub_auth::client_assertion::{self, AssertionError, Expected};
use syfthub_config::Secret;
use syfthub_web::ClientIp;

use super::clients::Client;
use super::error::{OAuthError, OAuthResult};
use super::metadata::Proof;
use super::params::Params;
use super::{OAuth, secrets};

/// What a client says of itself.
struct Claim {
    id: String,
    secret: Option<Secret>,
}

/// The client that sent a request.
pub(super) async fn prove(
    oauth: &OAuth,
    headers: &HeaderMap,
    params: &Params,
    from: ClientIp,
) -> OAuthResult<Client> {
    if let Some(assertion) = params.one("client_assertion")? {
        return by_key(oauth, headers, params, assertion, from).await;
    }
    let claim = claim(headers, params)?;
    let found = oauth.0.clients.find(&claim.id, from).await?;
    let client = found.map_err(OAuthError::invalid_client)?;
    if client.metadata.proof() == Proof::Key {
        let text = "This client must prove who it is by a client_assertion (private_key_jwt)";
        return Err(OAuthError::invalid_client(text));
    }
    match (client.secret_hash(), claim.secret) {
        (None, None) => Ok(client),
        (None, Some(_)) => Err(OAuthError::invalid_client("This client has no secret; it must not send one")),
        (Some(_), None) => Err(OAuthError::invalid_client("This client must send its secret")),
        (Some(hash), Some(secret)) if secrets::is_of(secret.expose(), hash) => Ok(client),
        (Some(_), Some(_)) => Err(OAuthError::invalid_client("The secret is not that of this client")),
    }
}

/// A client that signed an assertion (RFC 7521, section 4.2; RFC 7523, section 3).
async fn by_key(
    oauth: &OAuth,
    headers: &HeaderMap,
    params: &Params,
    assertion: &str,
    from: ClientIp,
) -> OAuthResult<Client> {
    let wrong = |text: String| OAuthError::invalid_client(text);
    if params.one("client_assertion_type")? != Some(client_assertion::TYPE) {
        return Err(wrong(format!("client_assertion_type must be {}", client_assertion::TYPE)));
    }
    if headers.contains_key(header::AUTHORIZATION) || params.one("client_secret")?.is_some() {
        let text = "Send the credentials of the client once: a client_assertion, or a secret";
        return Err(OAuthError::invalid_request(text));
    }
    let id =
        client_assertion::claimed(assertion).ok_or_else(|| wrong(AssertionError::Malformed.to_string()))?;
    if params.one("client_id")?.is_some_and(|named| named != id) {
        return Err(wrong(AssertionError::Client.to_string()));
    }
    let found = oauth.0.clients.find(&id, from).await?;
    let client = found.map_err(wrong)?;
    let source = client.metadata.keys().filter(|_| client.metadata.proof() == Proof::Key);
    let source = source.ok_or_else(|| {
        wrong("This client registered without private_key_jwt; see its metadata".to_owned())
    })?;
    let urls = oauth.urls();
    // RFC 9126, section 2, adds the endpoint for pushed requests.
    let audiences = [urls.issuer().to_owned(), urls.at("/oauth/token"), urls.at("/oauth/par")];
    let expected =
        Expected { client_id: &client.id, audiences: &audiences, algorithm: client.metadata.signs_with() };
    let now = oauth.0.clock.now();
    let keys = oauth.0.client_keys.of(source, from).await?.map_err(wrong)?;
    let mut checked = client_assertion::verify(assertion, &keys, expected, now);
    if checked == Err(AssertionError::Signature)
        && let Some(keys) = oauth.0.client_keys.again(source, from).await?
    {
        checked = client_assertion::verify(assertion, &keys, expected, now);
    }
    let good = checked.map_err(|error| wrong(error.to_string()))?;
    let memory = format!("assertion:{}", good.id);
    if !oauth.0.proofs.first_use(&memory, good.ends_at.since(now)).await {
        let text = "This client_assertion was used before; make one for every request";
        return Err(wrong(text.to_owned()));
    }
    Ok(client)
}

fn claim(headers: &HeaderMap, params: &Params) -> OAuthResult<Claim> {
    let named = params.one("client_id")?;
    let secret = params.one("client_secret")?.map(Secret::new);
    if let Some(given) = basic(headers)? {
        if secret.is_some() || named.is_some_and(|named| named != given.id) {
            let text = "Send the credentials of the client once: in Authorization or in the body";
            return Err(OAuthError::invalid_request(text));
        }
        return Ok(given);
    }
    let text = "The client must say who it is: client_id, or Authorization: Basic";
    let id = named.ok_or_else(|| OAuthError::invalid_client(text))?.to_owned();
    Ok(Claim { id, secret })
}

/// `Authorization: Basic`, whose two parts are encoded like values of a form.
fn basic(headers: &HeaderMap) -> OAuthResult<Option<Claim>> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let broken = || {
        OAuthError::invalid_client("The Authorization header cannot be read; use Basic with id and secret")
    };
    let (scheme, text) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(broken)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(broken());
    }
    let bytes = STANDARD.decode(text.trim()).map_err(|_| broken())?;
    let pair = String::from_utf8(bytes).map_err(|_| broken())?;
    let (id, secret) = pair.split_once(':').ok_or_else(broken)?;
    let secret = decoded(secret);
    Ok(Some(Claim { id: decoded(id), secret: (!secret.is_empty()).then(|| Secret::new(secret)) }))
}

/// One value of a form. The ids and secrets of this server are the same either way.
fn decoded(text: &str) -> String {
    let pair = format!("v={}", text.replace('&', "%26"));
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(authorization: &str, body: &str) -> Result<(String, Option<String>), &'static str> {
        let headers = if authorization.is_empty() {
            HeaderMap::new()
        } else {
            HeaderMap::from_iter([(header::AUTHORIZATION, authorization.parse().unwrap())])
        };
        claim(&headers, &Params::parse(body.as_bytes()))
            .map(|claim| (claim.id, claim.secret.map(|secret| secret.expose().to_owned())))
            .map_err(|error| error.code())
    }

    fn encoded(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    #[test]
    fn credentials_come_from_one_place() {
        let both = Ok(("a".to_owned(), Some("b".to_owned())));
        assert_eq!(read(&encoded("a:b"), ""), both);
        assert_eq!(read(&encoded("a:b"), "client_id=a"), both);
        assert_eq!(read("", "client_id=a&client_secret=b"), both);
        assert_eq!(read("", "client_id=a"), Ok(("a".to_owned(), None)));
        assert_eq!(read(&encoded("a:"), ""), Ok(("a".to_owned(), None)));
        let address = Ok(("https://a.example/c".to_owned(), Some("x:y&z".to_owned())));
        assert_eq!(read(&encoded("https%3A%2F%2Fa.example%2Fc:x%3Ay%26z"), ""), address);
        assert_eq!(read(&encoded("a:b"), "client_secret=b"), Err("invalid_request"));
        assert_eq!(read(&encoded("a:b"), "client_id=c"), Err("invalid_request"));
        assert_eq!(read("", "client_id=a&client_id=b"), Err("invalid_request"));
        for broken in ["Basic", "Basic !", "Bearer x", &encoded("a")] {
            assert_eq!(read(broken, "client_id=a"), Err("invalid_client"), "{broken}");
        }
        assert_eq!(read("", ""), Err("invalid_client"));
    }
}
