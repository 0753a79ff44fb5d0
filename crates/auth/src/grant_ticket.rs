//! Grant tickets: how the MCP service stands for the user of a grant towards the hub and the aggregator. It holds no
//! credential of the user and forwards none; a ticket only names the grant, and the hub looks up whose it is.
//!
//! A ticket is good between our own services only. Every public edge refuses one.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use syfthub_domain::{Error, Result, Timestamp};
use uuid::Uuid;

use crate::MasterKey;
use crate::crypto::install_crypto;

/// `typ` of the header, which nothing else that we sign has.
pub const TYP: &str = "grant+jwt";

/// Life of a ticket: as long as one question to an endpoint may take.
pub const LIFE: Duration = Duration::from_mins(5);

/// Longest ticket that is looked at. Ours have about 250 characters.
const MAX_LENGTH: usize = 1024;

const AUDIENCE: &str = "syfthub-internal";
const LABEL: &str = "grant tickets";

/// The HS256 key of tickets: the same in every service that shares `SECRET_KEY`.
#[derive(Clone)]
pub struct TicketKey {
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl TicketKey {
    /// Derives it; no other purpose uses this key.
    pub fn new(master: &MasterKey) -> Self {
        install_crypto();
        let key = master.subkey(LABEL);
        Self { encoding: EncodingKey::from_secret(&key), decoding: DecodingKey::from_secret(&key) }
    }
}

impl std::fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TicketKey([REDACTED])")
    }
}

/// Why a ticket is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// Not a ticket of ours: form, algorithm, type, claims or audience.
    #[error("not a well-formed grant ticket")]
    Malformed,
    /// Signed with another key, or changed afterwards.
    #[error("the signature of the grant ticket does not match")]
    Signature,
    /// Its life is over.
    #[error("the grant ticket has expired")]
    Expired,
}

impl From<TicketError> for Error {
    fn from(error: TicketError) -> Self {
        Self::unauthenticated("Could not validate credentials").with_source(error)
    }
}

/// What a good ticket says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The grant.
    pub grant: Uuid,
    /// What of the grant's scopes it stands for, separated by spaces; all of them without it.
    pub scope: Option<String>,
    /// When the ticket ends.
    pub expires_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: Uuid,
    aud: String,
    exp: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}

/// A ticket for a grant, good for [`LIFE`].
pub fn mint(key: &TicketKey, grant: Uuid, now: Timestamp) -> Result<String> {
    sign(key, grant, None, now)
}

/// The same for no more than some of the grant's scopes, separated by spaces.
pub fn mint_narrowed(key: &TicketKey, grant: Uuid, scope: &str, now: Timestamp) -> Result<String> {
    sign(key, grant, Some(scope.to_owned()), now)
}

fn sign(key: &TicketKey, grant: Uuid, scope: Option<String>, now: Timestamp) -> Result<String> {
    let header = Header { typ: Some(TYP.to_owned()), ..Header::new(Algorithm::HS256) };
    let claims = Claims { sub: grant, aud: AUDIENCE.to_owned(), exp: now.plus(LIFE).as_secs(), scope };
    jsonwebtoken::encode(&header, &claims, &key.encoding).map_err(Error::internal)
}

/// Checks form, type, algorithm, signature, audience and expiry. Whether the grant is live is the caller's to check.
pub fn verify(key: &TicketKey, ticket: &str, now: Timestamp) -> Result<Ticket, TicketError> {
    if !is_ticket(ticket) {
        return Err(TicketError::Malformed);
    }
    let decoded = jsonwebtoken::decode::<Claims>(ticket, &key.decoding, &signature_only()).map_err(
        |error| match error.kind() {
            jsonwebtoken::errors::ErrorKind::InvalidSignature => TicketError::Signature,
            _ => TicketError::Malformed,
        },
    )?;
    if decoded.header.crit.is_some() || decoded.claims.aud != AUDIENCE {
        return Err(TicketError::Malformed);
    }
    if decoded.claims.exp <= now.as_secs() {
        return Err(TicketError::Expired);
    }
    let Claims { sub, exp, scope, .. } = decoded.claims;
    Ok(Ticket { grant: sub, scope, expires_at: Timestamp::from_secs(exp) })
}

/// Whether a credential says that it is a ticket. Says nothing about whether it is a good one.
pub fn is_ticket(credential: &str) -> bool {
    credential.len() <= MAX_LENGTH
        && jsonwebtoken::decode_header(credential).is_ok_and(|header| header.typ.as_deref() == Some(TYP))
}

/// The grant that a ticket names, for counting by it; whether it is a good ticket is not asked.
pub fn named_grant(ticket: &str) -> Option<Uuid> {
    let payload = URL_SAFE_NO_PAD.decode(ticket.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Claims>(&payload).ok().map(|claims| claims.sub)
}

/// The library would compare `exp` with the machine's clock; ours is injected.
fn signature_only() -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use serde_json::{Value, json};
    use syfthub_config::Secret;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
    const GRANT: Uuid = Uuid::from_u128(0x0198_0a3e_5d0c_7c52_b7a1_5f6f_3f0f_9f10);

    fn master(text: &str) -> MasterKey {
        MasterKey::new(&Secret::new(text.to_owned()))
    }

    fn key() -> TicketKey {
        TicketKey::new(&master("k"))
    }

    fn signed(header: &Header, claims: &Value) -> String {
        let key = EncodingKey::from_secret(&master("k").subkey(LABEL));
        jsonwebtoken::encode(header, claims, &key).unwrap()
    }

    fn typed(typ: Option<&str>) -> Header {
        Header { typ: typ.map(str::to_owned), ..Header::new(Algorithm::HS256) }
    }

    fn claims() -> Value {
        json!({"sub": GRANT, "aud": "syfthub-internal", "exp": NOW.as_secs() + 300})
    }

    #[test]
    fn a_ticket_names_its_grant_for_five_minutes() {
        let ticket = mint(&key(), GRANT, NOW).unwrap();
        let read = verify(&key(), &ticket, NOW.plus(Duration::from_secs(299))).unwrap();
        assert_eq!(read, Ticket { grant: GRANT, scope: None, expires_at: NOW.plus(LIFE) });
        let narrowed = mint_narrowed(&key(), GRANT, "read", NOW).unwrap();
        assert_eq!(verify(&key(), &narrowed, NOW).unwrap().scope.as_deref(), Some("read"));
        assert_eq!((named_grant(&narrowed), named_grant("x.y.z")), (Some(GRANT), None));
        assert_eq!(verify(&key(), &ticket, NOW.plus(LIFE)), Err(TicketError::Expired));
        assert!(is_ticket(&ticket));
    }

    #[test]
    fn another_secret_and_another_subkey_are_refused() {
        let other = mint(&TicketKey::new(&master("other")), GRANT, NOW).unwrap();
        assert_eq!(verify(&key(), &other, NOW), Err(TicketError::Signature));
        let rpc = EncodingKey::from_secret(&master("k").subkey("rpc"));
        let other = jsonwebtoken::encode(&typed(Some(TYP)), &claims(), &rpc).unwrap();
        assert_eq!(verify(&key(), &other, NOW), Err(TicketError::Signature));
    }

    #[test]
    fn type_and_claims_are_checked() {
        assert!(verify(&key(), &signed(&typed(Some(TYP)), &claims()), NOW).is_ok());
        for typ in [None, Some("JWT"), Some("at+jwt"), Some("GRANT+JWT")] {
            let ticket = signed(&typed(typ), &claims());
            assert_eq!(verify(&key(), &ticket, NOW), Err(TicketError::Malformed), "{typ:?}");
            assert!(!is_ticket(&ticket));
        }
        for (name, value) in [
            ("aud", json!("syfthub")),
            ("aud", json!(["syfthub-internal"])),
            ("aud", Value::Null),
            ("sub", json!("7")),
            ("exp", Value::Null),
        ] {
            let mut claims = claims();
            claims[name] = value;
            let ticket = signed(&typed(Some(TYP)), &claims);
            assert_eq!(verify(&key(), &ticket, NOW), Err(TicketError::Malformed), "{name}");
        }
    }

    #[test]
    fn other_algorithms_and_extensions_are_refused() {
        let payload = BASE64_URL_SAFE_NO_PAD.encode(claims().to_string());
        for alg in ["none", "None", "RS256"] {
            let header = BASE64_URL_SAFE_NO_PAD.encode(json!({"alg": alg, "typ": TYP}).to_string());
            for signature in ["", "AAAA"] {
                let ticket = format!("{header}.{payload}.{signature}");
                assert_eq!(verify(&key(), &ticket, NOW), Err(TicketError::Malformed), "{alg}");
            }
        }
        let hs512 = Header { typ: Some(TYP.to_owned()), ..Header::new(Algorithm::HS512) };
        assert_eq!(verify(&key(), &signed(&hs512, &claims()), NOW), Err(TicketError::Malformed));
        let crit = Header { crit: Some(vec!["exp".to_owned()]), ..typed(Some(TYP)) };
        assert_eq!(verify(&key(), &signed(&crit, &claims()), NOW), Err(TicketError::Malformed));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_verification_panic(text in ".*") {
            proptest::prop_assert!(verify(&key(), &text, NOW).is_err());
        }
    }
}
