//! Sealing under keys that are derived and stored nowhere: for services that share `SECRET_KEY` and have no database.

use zeroize::Zeroizing;

use crate::MasterKey;
use crate::sealing::{MAX_PLAINTEXT, SealError};
use crate::wrapping::{self, KeyBytes};

/// Seals and opens values of one purpose.
#[derive(Clone)]
pub struct SealedBox {
    current: KeyBytes,
    previous: Option<KeyBytes>,
}

impl SealedBox {
    /// Derives its keys for the purpose `label`. What `previous`, an earlier master key, sealed can be opened too.
    pub fn new(master: &MasterKey, previous: Option<&MasterKey>, label: &str) -> Self {
        let derived = |master: &MasterKey| Zeroizing::new(master.subkey(label));
        Self { current: derived(master), previous: previous.map(derived) }
    }

    /// Seals a value. It opens only with the same `aad`, which says what it is.
    pub fn seal(&self, plaintext: &[u8], aad: &[u8]) -> Result<Vec<u8>, SealError> {
        if plaintext.len() > MAX_PLAINTEXT {
            return Err(SealError::TooLong);
        }
        let mut sealed = Vec::with_capacity(wrapping::NONCE_LENGTH + plaintext.len() + wrapping::TAG_LENGTH);
        wrapping::encrypt(&self.current, plaintext, aad, &mut sealed)?;
        Ok(sealed)
    }

    /// Opens a value that was sealed with the same `aad`.
    pub fn open(&self, sealed: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        match (wrapping::decrypt(&self.current, sealed, aad), &self.previous) {
            (Err(SealError::Refused), Some(previous)) => wrapping::decrypt(previous, sealed, aad),
            (opened, _) => opened,
        }
    }
}

impl std::fmt::Debug for SealedBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealedBox([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use syfthub_config::Secret;

    use super::*;

    fn master(text: &str) -> MasterKey {
        MasterKey::new(&Secret::new(text.to_owned()))
    }

    #[test]
    fn a_value_opens_in_its_place_under_the_present_and_the_previous_secret() {
        let old = SealedBox::new(&master("old"), None, "a");
        let sealed = old.seal(b"x", b"here").unwrap();
        let both = SealedBox::new(&master("new"), Some(&master("old")), "a");
        assert_eq!(both.open(&sealed, b"here").unwrap().as_slice(), b"x");
        assert_eq!(both.open(&sealed, b"there").unwrap_err(), SealError::Refused);
        assert_eq!(
            SealedBox::new(&master("new"), None, "a").open(&sealed, b"here").unwrap_err(),
            SealError::Refused
        );
        assert_eq!(
            SealedBox::new(&master("old"), None, "b").open(&sealed, b"here").unwrap_err(),
            SealError::Refused
        );
        assert_eq!(old.open(b"short", b"here").unwrap_err(), SealError::Malformed);
    }
}
