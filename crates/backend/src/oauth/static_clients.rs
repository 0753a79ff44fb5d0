//! Clients that an operator makes, by hand: they never end by themselves, and one can act as an account.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use syfthub_config::Secret;
use syfthub_domain::{Error, ErrorCode, Result};
use syfthub_store::oauth::clients::{self, ClientRow, NewClient};
use syfthub_store::oauth::grants;
use syfthub_store::users;
use syfthub_web::{Fields, redirect_uri};
use url::Url;

use super::OAuth;
use super::client_wire::ClientView;
use super::clients::unknown;
use crate::audit::{self, Origin};

/// Start of every secret of a client.
const SECRET_PREFIX: &str = "syft_cs_";
/// Start of an id that the hub chose.
const ID_PREFIX: &str = "client_";
/// Start of the ids of the hub's own programs.
const OWN_PREFIX: &str = "syfthub-";
const MAX_REDIRECTS: usize = 20;
/// Fields that are judged by whether there are redirect URIs.
const OF_REDIRECTS: [&str; 2] = ["redirect_uris", "grant_types"];
/// Longest set of public keys, as JSON.
const MAX_JWKS: usize = 8 * 1024;
/// What can be exchanged for tokens at all.
const GRANT_TYPES: [&str; 5] =
    [CODE, REFRESH, OWN, DEVICE, "urn:ietf:params:oauth:grant-type:token-exchange"];
const CODE: &str = "authorization_code";
const REFRESH: &str = "refresh_token";
/// A client's own credentials.
pub(super) const OWN: &str = "client_credentials";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const METHODS: [&str; 4] = ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"];
const SCOPES: [&str; 7] = ["openid", "profile", "email", "offline_access", "read", "write", "full"];

/// A client to be made, checked.
#[derive(Debug)]
pub(super) struct NewStatic {
    id: Option<String>,
    metadata: Value,
    acts_as: Option<String>,
    has_secret: bool,
}

impl NewStatic {
    /// Reads a body; every fault of it is told at once.
    pub(super) fn read(body: Value) -> Result<Self> {
        let names_redirects = body["redirect_uris"].as_array().is_some_and(|uris| !uris.is_empty());
        let mut fields = Fields::body(body)?;
        let id = fields.string("client_id").length(3, 100).rule(|id| check_id(id)).optional();
        let name =
            fields.string("client_name").trimmed().length(1, 100).rule(|name| check_name(name)).required();
        let redirects = fields.strings("redirect_uris").items(0, MAX_REDIRECTS);
        let redirects = redirects.rule(|uris| check_redirects(uris)).optional().unwrap_or_default();
        let grants =
            fields.strings("grant_types").items(1, 10).rule(|kinds| known(kinds, &GRANT_TYPES)).optional();
        let method = fields.string("token_endpoint_auth_method").rule(|method| known([method], &METHODS));
        let method = method.optional().unwrap_or_else(|| METHODS[1].to_owned());
        let scope =
            fields.string("scope").length(1, 200).rule(|scope| known(scope.split(' '), &SCOPES)).optional();
        let acts_as = fields.string("acts_as").length(1, 50).optional();
        let jwks_uri = fields.string("jwks_uri").length(1, 2048).rule(|uri| check_jwks_uri(uri)).optional();
        let jwks = fields.dict("jwks").rule(check_jwks).optional();
        let grants = grants.unwrap_or_else(|| default_grants(&redirects, acts_as.as_deref()));
        // What was named and refused is told as that alone, not also as missing.
        let is_refused = names_redirects && redirects.is_empty();
        let faults =
            faults(&redirects, &grants, &method, acts_as.as_deref(), jwks.is_some(), jwks_uri.is_some());
        for (key, why) in faults.into_iter().filter(|(key, _)| !is_refused || !OF_REDIRECTS.contains(key)) {
            fields.reject(key, why);
        }
        let valid = fields.finish()?;
        let acts = grants.iter().any(|kind| kind == OWN);
        let scope = scope.or_else(|| acts.then(|| "read".to_owned()));
        let mut metadata = json!({
            "client_name": name.take(&valid), "redirect_uris": redirects, "grant_types": grants,
            "response_types": if redirects.is_empty() { json!([]) } else { json!(["code"]) },
            "token_endpoint_auth_method": method,
        });
        let more = [
            ("scope", scope.map(Value::from)),
            ("jwks_uri", jwks_uri.map(Value::from)),
            ("jwks", jwks.map(Value::from)),
        ];
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.extend(more.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
        }
        let has_secret = method.starts_with("client_secret");
        Ok(Self { id, metadata, acts_as, has_secret })
    }
}

/// What a client does when its operator names nothing.
fn default_grants(redirects: &[String], acts_as: Option<&str>) -> Vec<String> {
    let by_code = (!redirects.is_empty()).then_some([CODE, REFRESH]);
    let own = acts_as.map(|_| OWN);
    by_code.into_iter().flatten().chain(own).map(str::to_owned).collect()
}

/// What does not fit together.
fn faults(
    redirects: &[String],
    grants: &[String],
    method: &str,
    acts_as: Option<&str>,
    jwks: bool,
    jwks_uri: bool,
) -> Vec<(&'static str, &'static str)> {
    let has = |kind: &str| grants.iter().any(|grant| grant == kind);
    let by_key = method == "private_key_jwt";
    let rules = [
        (
            grants.is_empty(),
            "grant_types",
            "name redirect_uris, acts_as or grant_types: without them it can do nothing",
        ),
        (
            has(CODE) && redirects.is_empty(),
            "redirect_uris",
            "authorization_code needs at least one redirect URI",
        ),
        (
            !has(CODE) && !redirects.is_empty(),
            "redirect_uris",
            "only a client with authorization_code has redirect URIs",
        ),
        (
            has(REFRESH) && !has(CODE) && !has(DEVICE),
            "grant_types",
            "refresh_token needs authorization_code or the device code",
        ),
        (has(OWN) && acts_as.is_none(), "acts_as", "client_credentials needs the account that it acts as"),
        (
            !has(OWN) && acts_as.is_some(),
            "acts_as",
            "only a client with client_credentials acts as an account",
        ),
        (
            has(OWN) && method == "none",
            "token_endpoint_auth_method",
            "client_credentials needs a secret or a key",
        ),
        (by_key && jwks == jwks_uri, "jwks", "private_key_jwt needs either jwks or jwks_uri"),
        (!by_key && (jwks || jwks_uri), "jwks", "keys are for private_key_jwt"),
    ];
    rules.into_iter().filter(|(is_wrong, ..)| *is_wrong).map(|(_, key, why)| (key, why)).collect()
}

fn check_id(id: &str) -> std::result::Result<(), String> {
    if id.starts_with(OWN_PREFIX) {
        return Err(format!("ids that begin with {OWN_PREFIX} belong to the hub's own programs"));
    }
    let is_good = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte))
        && id.starts_with(|first: char| first.is_ascii_alphanumeric());
    if is_good {
        Ok(())
    } else {
        Err("letters, digits and . _ ~ - can be in an id, a letter or digit first".to_owned())
    }
}

/// People have to know whom they allow something: one line, without characters that are not seen.
fn check_name(name: &str) -> std::result::Result<(), String> {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    if name.chars().any(hidden) {
        Err("the name has characters that are not seen".to_owned())
    } else {
        Ok(())
    }
}

fn check_redirects(uris: &[String]) -> std::result::Result<(), String> {
    let refused = uris.iter().find_map(|uri| redirect_uri::refusal(uri).map(|why| format!("{uri}: {why}")));
    refused.map_or(Ok(()), Err)
}

fn known(words: impl IntoIterator<Item = impl AsRef<str>>, all: &[&str]) -> std::result::Result<(), String> {
    let is_known = |word: &str| all.contains(&word);
    let good = words.into_iter().all(|word| is_known(word.as_ref()));
    if good { Ok(()) } else { Err(format!("one of {} is expected", all.join(", "))) }
}

fn check_jwks_uri(uri: &str) -> std::result::Result<(), String> {
    let is_good = Url::parse(uri)
        .is_ok_and(|url| url.scheme() == "https" && url.has_host() && url.fragment().is_none());
    if is_good { Ok(()) } else { Err("an address with https is expected".to_owned()) }
}

fn check_jwks(jwks: &Map<String, Value>) -> std::result::Result<(), String> {
    let keys = jwks.get("keys").and_then(Value::as_array).filter(|keys| (1..=20).contains(&keys.len()));
    let keys = keys.ok_or("a JSON object with `keys`, a list of 1 to 20 keys, is expected")?;
    if ["d", "p", "q", "k"].iter().any(|part| keys.iter().any(|key| key.get(part).is_some())) {
        return Err("a private or secret key is in it; give the public half only".to_owned());
    }
    let length = serde_json::to_string(jwks).map_or(usize::MAX, |text| text.len());
    if length > MAX_JWKS { Err(format!("the keys are longer than {MAX_JWKS} bytes")) } else { Ok(()) }
}

fn random(prefix: &str) -> String {
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
}

/// A secret, and what is kept of it. It has 256 random bits, so there is nothing to guess.
fn new_secret() -> (Secret, String) {
    let secret = random(SECRET_PREFIX);
    let hash = hex::encode(Sha256::digest(secret.as_bytes()));
    (Secret::new(secret), hash)
}

impl OAuth {
    /// Makes a client. Its secret is in the answer and nowhere else.
    pub(super) async fn make_client(&self, origin: &Origin, new: NewStatic) -> Result<ClientView> {
        let user = match &new.acts_as {
            Some(name) => {
                let found = users::find_by_username(&self.db, &name.to_lowercase()).await?;
                Some(found.filter(|user| user.is_active).ok_or_else(no_account)?)
            }
            None => None,
        };
        let (secret, hash) = new_secret();
        let client = NewClient {
            client_id: new.id.unwrap_or_else(|| random(ID_PREFIX)),
            is_static: true,
            metadata: new.metadata,
            secret_hash: new.has_secret.then_some(hash),
            registration_token_hash: None,
            user_id: user.map(|user| user.id),
        };
        let row = self.register_client(origin, &client).await?;
        Ok(shown_once(row, new.has_secret.then_some(secret)))
    }

    /// Gives a client of the operator another secret; the one before is not good any longer, and neither are the tokens
    /// that the client got with it for itself.
    pub(super) async fn change_secret(&self, origin: &Origin, client_id: &str) -> Result<ClientView> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let before = clients::find(&mut tx, client_id, now).await?.ok_or_else(unknown)?;
        let conflict = |text: &str| Error::new(ErrorCode::Conflict, text);
        if before.kind != "static" {
            return Err(conflict(
                "This client registered itself and keeps its own secret; only it can change it",
            ));
        }
        if before.secret_hash.is_none() {
            return Err(conflict("This client has no secret"));
        }
        let (secret, hash) = new_secret();
        let row = clients::set_secret(&mut tx, client_id, &hash, now).await?.ok_or_else(unknown)?;
        let ended = grants::revoke_own(&mut tx, client_id, now).await?;
        let mut entry = origin.entry(now, "oauth_client.secret_changed", "oauth_client", client_id);
        entry.after = Some(json!({"ended": ended}));
        audit::record(&mut tx, &entry).await?;
        tx.commit().await?;
        if let Some(user) = row.user_id {
            self.access.forget_user(user).await;
        }
        tracing::info!(target: "syfthub.api.auth", client_id, "oauth.client.secret_changed");
        Ok(shown_once(row, Some(secret)))
    }
}

fn no_account() -> Error {
    let mut fields = match Fields::body(json!({})) {
        Ok(fields) => fields,
        Err(error) => return error,
    };
    fields.reject("acts_as", "there is no active account with this name");
    Error::fields(fields.into_errors())
}

fn shown_once(row: ClientRow, secret: Option<Secret>) -> ClientView {
    let client_secret = secret.map(|secret| secret.expose().to_owned());
    ClientView { client_secret, ..ClientView::from(row) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_follows_from_what_is_there() {
        let read = |body: Value| NewStatic::read(body).unwrap();
        let by_code = read(json!({"client_name": "A", "redirect_uris": ["https://a.example/cb"]}));
        assert_eq!(by_code.metadata["grant_types"], json!([CODE, REFRESH]));
        assert!(by_code.has_secret && by_code.metadata.get("scope").is_none());
        let own = read(json!({"client_name": "A", "acts_as": "bob"}));
        assert_eq!((&own.metadata["grant_types"], &own.metadata["scope"]), (&json!([OWN]), &json!("read")));
        let public = read(json!({
            "client_name": "A", "grant_types": [DEVICE, REFRESH], "token_endpoint_auth_method": "none",
        }));
        assert!(!public.has_secret);
    }

    #[test]
    fn what_does_not_fit_is_refused_at_the_field() {
        let https = json!(["https://a.example/cb"]);
        for (body, key) in [
            (json!({}), "grant_types"),
            (json!({"redirect_uris": ["http://a.example/cb"]}), "redirect_uris"),
            (json!({"redirect_uris": https, "grant_types": [OWN], "acts_as": "bob"}), "redirect_uris"),
            (json!({"grant_types": [CODE]}), "redirect_uris"),
            (json!({"grant_types": [OWN]}), "acts_as"),
            (json!({"acts_as": "bob", "token_endpoint_auth_method": "none"}), "token_endpoint_auth_method"),
            (json!({"acts_as": "bob", "scope": "everything"}), "scope"),
            (json!({"acts_as": "bob", "client_id": "syfthub-cli"}), "client_id"),
            (json!({"acts_as": "bob", "client_id": "a/b"}), "client_id"),
            (json!({"acts_as": "bob", "token_endpoint_auth_method": "private_key_jwt"}), "jwks"),
            (json!({"acts_as": "bob", "jwks_uri": "https://a.example/k"}), "jwks"),
            (json!({"redirect_uris": https, "acts_as": "bob", "grant_types": [CODE]}), "acts_as"),
        ] {
            let mut body = body;
            body["client_name"] = json!("A");
            let error = NewStatic::read(body.clone()).unwrap_err();
            assert!(format!("{:?}", error.detail).contains(&format!("Key(\"{key}\")")), "{body}: {error:?}");
        }
        assert!(NewStatic::read(json!({"client_name": "A\u{202e}B", "acts_as": "bob"})).is_err());
    }

    #[test]
    fn private_keys_are_not_taken() {
        let jwks = |key: Value| json!({"keys": [key]}).as_object().cloned().unwrap();
        assert!(check_jwks(&jwks(json!({"kty": "EC", "x": "1", "y": "2"}))).is_ok());
        assert!(check_jwks(&jwks(json!({"kty": "EC", "x": "1", "y": "2", "d": "3"}))).is_err());
        assert!(check_jwks(&jwks(json!({"kty": "oct", "k": "1"}))).is_err());
    }
}
