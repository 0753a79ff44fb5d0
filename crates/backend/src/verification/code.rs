//! The codes themselves: six digits, kept only as a hash under a key of the hub. Without the key, all nine
//! hundred thousand could be tried in a second.

use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::RngExt as _;
use sha2::Sha256;
use syfthub_auth::MasterKey;
use syfthub_config::Secret;
use syfthub_domain::{Email, Error, InvalidName, Result};
use syfthub_store::one_time_codes::Purpose;

/// The key that codes are hashed under.
pub(super) struct CodeKey(Hmac<Sha256>);

impl std::fmt::Debug for CodeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CodeKey([REDACTED])")
    }
}

impl CodeKey {
    pub(super) fn derive(master: &MasterKey) -> Result<Self> {
        Hmac::new_from_slice(&master.subkey("one-time codes")).map(Self).map_err(Error::internal)
    }

    /// A code is good for one address and one purpose.
    fn mac(&self, email: &Email, purpose: Purpose, code: &str) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in [purpose.as_str(), email.as_str(), code] {
            mac.update(part.as_bytes());
            mac.update(&[0]); // in none of the parts, so the join has one reading
        }
        mac
    }

    /// What is kept of a code, hex.
    pub(super) fn hash(&self, email: &Email, purpose: Purpose, code: &str) -> String {
        hex::encode(self.mac(email, purpose, code).finalize().into_bytes())
    }

    /// Whether `kept` is the hash of this code; takes the same time for every wrong one.
    pub(super) fn matches(&self, email: &Email, purpose: Purpose, code: &str, kept: &str) -> bool {
        hex::decode(kept).is_ok_and(|kept| self.mac(email, purpose, code).verify_slice(&kept).is_ok())
    }
}

/// A fresh code.
pub(super) fn random() -> Secret {
    Secret::new(rand::rng().random_range(100_000_u32..=999_999).to_string())
}

/// Six digits as they come in a request; blanks around them are left out.
pub(super) fn read(text: &str) -> std::result::Result<String, InvalidName> {
    let text = text.trim();
    if text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    let message = r"String should match pattern '^\d{6}$'".to_owned();
    Err(InvalidName { kind: "string_pattern_mismatch", message })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(secret: &str) -> CodeKey {
        CodeKey::derive(&MasterKey::new(&Secret::new(secret))).unwrap()
    }

    #[test]
    fn a_code_is_good_for_one_address_purpose_and_hub() {
        let (bob, eve) = (Email::parse("bob@x.org").unwrap(), Email::parse("eve@x.org").unwrap());
        let kept = key("s").hash(&bob, Purpose::Registration, "123456");
        assert_eq!(kept.len(), 64);
        assert!(key("s").matches(&bob, Purpose::Registration, "123456", &kept));
        assert!(!key("s").matches(&bob, Purpose::Registration, "123457", &kept));
        assert!(!key("s").matches(&bob, Purpose::PasswordReset, "123456", &kept));
        assert!(!key("s").matches(&eve, Purpose::Registration, "123456", &kept));
        assert!(!key("t").matches(&bob, Purpose::Registration, "123456", &kept));
        assert!(!key("s").matches(&bob, Purpose::Registration, "123456", "not hex"));
    }

    #[test]
    fn codes_are_six_digits_and_differ() {
        let codes: std::collections::BTreeSet<String> =
            (0..50).map(|_| random().expose().to_owned()).collect();
        assert!(codes.len() > 45 && codes.iter().all(|code| read(code).is_ok() && !code.starts_with('0')));
        for bad in ["12345", "1234567", "12345a", "１２３４５６", ""] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
