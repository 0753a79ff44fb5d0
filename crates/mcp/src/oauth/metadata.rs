//! What a client says about itself (RFC 7591, section 2), checked and cut to what is understood.

use serde_json::{Map, Value, json};
use syfthub_auth::public_jwk::{ALGORITHMS, PublicJwk};
use url::Url;

use super::redirects;

/// Most addresses to come back to.
const MAX_REDIRECTS: usize = 20;
/// Longest name, in characters.
const MAX_NAME: usize = 100;
/// Longest other text.
const MAX_TEXT: usize = 2048;
/// Texts that are kept and given back as they came.
const TEXTS: [&str; 3] = ["scope", "software_id", "software_version"];
/// Addresses of pages that are kept and given back; nothing is ever fetched from them.
const PAGES: [&str; 4] = ["client_uri", "logo_uri", "tos_uri", "policy_uri"];

/// Whether a client asks that it never gets a token without the proof of a key (RFC 9449, section 5.2).
const BOUND: &str = "dpop_bound_access_tokens";

/// How a client proves at the token endpoint who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Not at all: the code challenge is the proof that it began the request.
    None,
    /// By a secret, in a header or in the body.
    Secret,
    /// By a JWT that it signs with a key of its own (RFC 7523).
    Key,
}

/// Ways of proof by the names of the standard.
pub(crate) const METHODS: [&str; 4] = ["none", "client_secret_basic", "client_secret_post", BY_KEY];
/// Those that prove something.
pub(crate) const PROVING_METHODS: [&str; 3] = ["client_secret_basic", "client_secret_post", BY_KEY];
const BY_KEY: &str = "private_key_jwt";
/// Most keys of a client.
pub(crate) const MOST_KEYS: usize = 10;

/// Where the keys of a client are.
#[derive(Debug, Clone, Copy)]
pub(crate) enum KeySource<'m> {
    /// In its metadata.
    Inline(&'m Value),
    /// At an address.
    Address(&'m str),
}
/// The code of a device (RFC 8628).
pub(crate) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// What can be exchanged at the token endpoint.
pub(crate) const GRANT_TYPES: [&str; 5] =
    ["authorization_code", "refresh_token", DEVICE_CODE, CLIENT_CREDENTIALS, TOKEN_EXCHANGE];
/// A client's own credentials (RFC 6749, section 4.4): for clients that an operator made, never for those that say what
/// they are themselves.
pub(crate) const CLIENT_CREDENTIALS: &str = "client_credentials";
/// RFC 8693.
pub(crate) const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// What a client may exchange that names nothing.
const DEFAULT_GRANT_TYPES: [&str; 2] = ["authorization_code", "refresh_token"];

/// Why metadata were refused: the word of the standard, and a text.
pub(crate) type Fault = (&'static str, String);

/// Metadata that were accepted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Metadata(Map<String, Value>);

impl Metadata {
    /// Reads what a client sent or published; `default_method` is that of one that names none.
    pub(crate) fn accept(given: &Value, default_method: &'static str) -> Result<Self, Fault> {
        let given = given.as_object().ok_or_else(|| fault("the body must be a JSON object"))?;
        let mut kept = Map::new();
        let kinds = grant_types(given.get("grant_types"))?;
        // A program that never sends a browser has nowhere to come back to.
        let sends = kinds.contains(&"authorization_code");
        let uris = if sends { redirect_uris(given.get("redirect_uris"))? } else { Vec::new() };
        kept.insert("redirect_uris".to_owned(), json!(uris));
        if let Some(name) = given.get("client_name").filter(|name| !name.is_null()) {
            let name = name.as_str().ok_or_else(|| fault("client_name must be a text"))?;
            kept.insert("client_name".to_owned(), json!(plain(name)));
        }
        let method = match given.get("token_endpoint_auth_method") {
            None | Some(Value::Null) => default_method,
            Some(method) => {
                METHODS.into_iter().find(|known| method.as_str() == Some(known)).ok_or_else(|| {
                    fault(
                        "token_endpoint_auth_method must be none, client_secret_basic, client_secret_post or private_key_jwt",
                    )
                })?
            }
        };
        kept.insert("token_endpoint_auth_method".to_owned(), json!(method));
        if method == BY_KEY {
            keep_keys(given, &mut kept)?;
        }
        kept.insert("grant_types".to_owned(), json!(kinds));
        let types = texts(given.get("response_types"), "response_types")?;
        if sends && types.as_ref().is_some_and(|types| !types.contains(&"code")) {
            return Err(fault("response_types must have `code`, the only one that this server knows"));
        }
        kept.insert("response_types".to_owned(), if sends { json!(["code"]) } else { json!([]) });
        let kind = match given.get("application_type").filter(|kind| !kind.is_null()) {
            None => None,
            Some(kind) => Some(
                ["web", "native"]
                    .into_iter()
                    .find(|known| kind.as_str() == Some(known))
                    .ok_or_else(|| fault("application_type must be web or native"))?,
            ),
        };
        kept.extend(kind.map(|kind| ("application_type".to_owned(), json!(kind))));
        if let Some(bound) = given.get(BOUND).filter(|bound| !bound.is_null()) {
            let bound =
                bound.as_bool().ok_or_else(|| fault("dpop_bound_access_tokens must be true or false"))?;
            kept.insert(BOUND.to_owned(), json!(bound));
        }
        keep_texts(given, &mut kept)?;
        Ok(Self(kept))
    }

    /// Reads what was accepted before.
    pub(crate) fn stored(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok().map(Self)
    }

    pub(crate) fn to_json(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }

    /// As keys of an answer.
    pub(crate) fn into_keys(self) -> Map<String, Value> {
        self.0
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.0.get("client_name")?.as_str().filter(|name| !name.is_empty())
    }

    pub(crate) fn redirect_uris(&self) -> impl Iterator<Item = &str> {
        self.list("redirect_uris")
    }

    pub(crate) fn proof(&self) -> Proof {
        match self.0.get("token_endpoint_auth_method").and_then(Value::as_str) {
            Some("none") => Proof::None,
            Some(BY_KEY) => Proof::Key,
            _ => Proof::Secret,
        }
    }

    /// Whether it proves itself by a secret.
    pub(crate) fn secret_method(&self) -> bool {
        self.proof() == Proof::Secret
    }

    /// Where its keys are, if it proves with one who it is.
    pub(crate) fn keys(&self) -> Option<KeySource<'_>> {
        let inline = self.0.get("jwks").map(KeySource::Inline);
        inline.or_else(|| self.0.get("jwks_uri").and_then(Value::as_str).map(KeySource::Address))
    }

    /// The algorithm that it signs with, if it said so.
    pub(crate) fn signs_with(&self) -> Option<&str> {
        self.0.get(SIGNS_WITH).and_then(Value::as_str)
    }

    /// Whether all its tokens have to be bound to a key.
    pub(crate) fn binds_tokens(&self) -> bool {
        self.0.get(BOUND).and_then(Value::as_bool).unwrap_or(false)
    }

    /// Whether it may have refresh tokens.
    pub(crate) fn refreshes(&self) -> bool {
        self.exchanges("refresh_token")
    }

    /// Whether it may exchange this at the token endpoint.
    pub(crate) fn exchanges(&self, grant_type: &str) -> bool {
        self.list("grant_types").any(|kind| kind == grant_type)
    }

    /// What it asks for when a request names nothing.
    pub(crate) fn scope(&self) -> Option<&str> {
        self.0.get("scope")?.as_str().filter(|scope| !scope.trim().is_empty())
    }

    fn list(&self, key: &str) -> impl Iterator<Item = &str> {
        let list = self.0.get(key).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str)
    }
}

fn fault(text: impl Into<String>) -> Fault {
    ("invalid_client_metadata", text.into())
}

fn redirect_uris(given: Option<&Value>) -> Result<Vec<&str>, Fault> {
    let wrong = |text: &str| ("invalid_redirect_uri", text.to_owned());
    let list = given.and_then(Value::as_array).filter(|list| !list.is_empty());
    let list = list.ok_or_else(|| wrong("redirect_uris must be a list with at least one URI"))?;
    if list.len() > MAX_REDIRECTS {
        return Err(wrong("redirect_uris has more than 20 URIs"));
    }
    let mut uris = Vec::new();
    for uri in list {
        let uri = uri.as_str().ok_or_else(|| wrong("redirect_uris must be a list of texts"))?;
        if let Some(why) = redirects::refusal(uri) {
            return Err(wrong(why));
        }
        uris.push(uri);
    }
    Ok(uris)
}

/// Those that this server knows; others are left out, as RFC 7591, section 2, allows.
fn grant_types(given: Option<&Value>) -> Result<Vec<&'static str>, Fault> {
    let Some(named) = texts(given, "grant_types")? else { return Ok(DEFAULT_GRANT_TYPES.to_vec()) };
    let open = |kind: &&str| *kind != CLIENT_CREDENTIALS && named.contains(kind);
    let known: Vec<&str> = GRANT_TYPES.into_iter().filter(open).collect();
    if known.contains(&"authorization_code") || known.contains(&DEVICE_CODE) {
        return Ok(known);
    }
    Err(fault(format!("grant_types must have `authorization_code` or `{DEVICE_CODE}`")))
}

fn texts<'v>(given: Option<&'v Value>, name: &str) -> Result<Option<Vec<&'v str>>, Fault> {
    let Some(given) = given.filter(|given| !given.is_null()) else { return Ok(None) };
    let list = given.as_array().and_then(|list| list.iter().map(Value::as_str).collect());
    list.map(Some).ok_or_else(|| fault(format!("{name} must be a list of texts")))
}

const SIGNS_WITH: &str = "token_endpoint_auth_signing_alg";

/// The keys of a client that signs assertions: in its metadata or at an address, not both (RFC 7591, section 2).
fn keep_keys(given: &Map<String, Value>, kept: &mut Map<String, Value>) -> Result<(), Fault> {
    let named = |name: &str| given.get(name).filter(|value| !value.is_null());
    match (named("jwks"), named("jwks_uri")) {
        (Some(jwks), None) => {
            let keys = jwks.get("keys").and_then(Value::as_array);
            let keys = keys.filter(|keys| (1..=MOST_KEYS).contains(&keys.len()));
            let keys = keys.ok_or_else(|| fault("jwks must be an object with one to ten keys"))?;
            for key in keys {
                PublicJwk::read(key).map_err(|why| fault(format!("a key of jwks is refused: {why}")))?;
            }
            kept.insert("jwks".to_owned(), json!({"keys": keys}));
        }
        (None, Some(address)) => {
            let text = address.as_str().filter(|text| text.len() <= MAX_TEXT);
            let is_plain = |url: Url| url.scheme() == "https" && url.fragment().is_none();
            let text = text.filter(|text| Url::parse(text).is_ok_and(is_plain));
            let text = text.ok_or_else(|| fault("jwks_uri must be an address with https"))?;
            kept.insert("jwks_uri".to_owned(), json!(text));
        }
        _ => return Err(fault("private_key_jwt needs either jwks or jwks_uri")),
    }
    if let Some(name) = named(SIGNS_WITH) {
        let name = ALGORITHMS.into_iter().find(|known| name.as_str() == Some(known));
        let text = "token_endpoint_auth_signing_alg must be ES256, EdDSA, PS256 or RS256";
        kept.insert(SIGNS_WITH.to_owned(), json!(name.ok_or_else(|| fault(text))?));
    }
    Ok(())
}

fn keep_texts(given: &Map<String, Value>, kept: &mut Map<String, Value>) -> Result<(), Fault> {
    for name in TEXTS.into_iter().chain(PAGES) {
        let Some(value) = given.get(name).filter(|value| !value.is_null()) else { continue };
        let text = value.as_str().filter(|text| text.chars().count() <= MAX_TEXT);
        let text = text.ok_or_else(|| fault(format!("{name} must be a text of at most 2048 characters")))?;
        let is_page = Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "https" | "http"));
        if PAGES.contains(&name) && !text.is_empty() && !is_page {
            return Err(fault(format!("{name} must be an address with https or http")));
        }
        kept.insert(name.to_owned(), json!(text));
    }
    let contacts = texts(given.get("contacts"), "contacts")?;
    let contacts = contacts.filter(|list| list.len() <= 10 && list.iter().all(|text| text.len() <= 320));
    kept.extend(contacts.map(|list| ("contacts".to_owned(), json!(list))));
    Ok(())
}

/// A name on one line, without characters that change the direction of what is around them or are not seen at all.
fn plain(name: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let seen: String =
        name.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| !hidden(*c)).collect();
    let joined = seen.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    joined.chars().take(MAX_NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(given: &Value) -> Result<Metadata, Fault> {
        Metadata::accept(given, "client_secret_basic")
    }

    #[test]
    fn what_is_left_out_has_the_values_of_the_standard() {
        let client = accept(&json!({"redirect_uris": ["https://a.example/cb"], "unknown": 1})).unwrap();
        assert_eq!((client.proof(), client.refreshes(), client.name()), (Proof::Secret, true, None));
        assert_eq!(client.0["token_endpoint_auth_method"], "client_secret_basic");
        assert_eq!(client.0["response_types"], json!(["code"]));
        assert!(!client.0.contains_key("unknown"));
        assert_eq!(Metadata::stored(&client.to_json()), Some(client));
    }

    #[test]
    fn public_clients_and_those_without_refresh_are_taken_at_their_word() {
        let client = accept(&json!({
            "redirect_uris": ["http://localhost/cb"],
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "implicit", "client_credentials"],
        }));
        let client = client.unwrap();
        assert_eq!((client.proof(), client.refreshes()), (Proof::None, false));
        assert_eq!(client.0["grant_types"], json!(["authorization_code"]));
    }

    #[test]
    fn a_device_has_nowhere_to_come_back_to() {
        let client = accept(&json!({"grant_types": [DEVICE_CODE, "refresh_token"], "response_types": []}));
        let client = client.unwrap();
        assert!(client.exchanges(DEVICE_CODE) && client.refreshes());
        assert!(!client.exchanges("authorization_code") && client.redirect_uris().next().is_none());
        let named_nothing = accept(&json!({"redirect_uris": ["https://a.example/cb"]})).unwrap();
        assert!(!named_nothing.exchanges(DEVICE_CODE), "devices are for clients that say so");
    }

    #[test]
    fn names_are_one_visible_line() {
        let named = |name: &str| {
            let given = json!({"redirect_uris": ["https://a.example/cb"], "client_name": name});
            accept(&given).unwrap().name().map(str::to_owned)
        };
        assert_eq!(named(" A\n\u{202e}B\u{200b}  C ").as_deref(), Some("A B C"));
        assert_eq!(named(&"x".repeat(300)).map(|name| name.len()), Some(100));
        assert_eq!(named("\u{200b}"), None);
    }

    #[test]
    fn what_is_wrong_is_named_by_the_words_of_the_standard() {
        let good = json!({"redirect_uris": ["https://a.example/cb"]});
        for (key, value, word) in [
            ("redirect_uris", json!([]), "invalid_redirect_uri"),
            ("redirect_uris", json!("https://a.example"), "invalid_redirect_uri"),
            ("redirect_uris", json!(["http://a.example/cb"]), "invalid_redirect_uri"),
            ("redirect_uris", json!(["javascript:alert(1)"]), "invalid_redirect_uri"),
            ("redirect_uris", json!([7]), "invalid_redirect_uri"),
            ("redirect_uris", json!(vec!["https://a.example/cb"; 21]), "invalid_redirect_uri"),
            ("token_endpoint_auth_method", json!("private_key_jwt"), "invalid_client_metadata"),
            ("grant_types", json!(["client_credentials"]), "invalid_client_metadata"),
            ("grant_types", json!("authorization_code"), "invalid_client_metadata"),
            ("response_types", json!(["token"]), "invalid_client_metadata"),
            ("application_type", json!("toaster"), "invalid_client_metadata"),
            ("client_name", json!(7), "invalid_client_metadata"),
            ("logo_uri", json!("javascript:alert(1)"), "invalid_client_metadata"),
            ("scope", json!("x".repeat(3000)), "invalid_client_metadata"),
        ] {
            let mut given = good.clone();
            given[key] = value;
            assert_eq!(accept(&given).unwrap_err().0, word, "{given}");
        }
        assert_eq!(accept(&json!([])).unwrap_err().0, "invalid_client_metadata");
    }
}
