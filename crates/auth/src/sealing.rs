//! Secrets at rest: XChaCha20-Poly1305 under random data keys, which are stored wrapped.
//!
//! Two layers, so that changing `SECRET_KEY` re-wraps a few short rows and never touches what is
//! sealed under them. A sealed value names the version of its data key; old versions stay readable.

use std::collections::BTreeMap;

use syfthub_config::{EncryptionKey, Secret};
use syfthub_domain::Error;
use zeroize::Zeroizing;

use crate::MasterKey;
use crate::crypto;
use crate::wrapping::{self, KeyBytes};

/// First byte of every sealed value and wrapped key.
const FORMAT: u8 = 1;

/// Format byte and version.
const HEADER_LENGTH: usize = 5;

/// Largest text that is sealed. Secrets are short; this bounds what a caller can make us hold.
pub const MAX_PLAINTEXT: usize = 1024 * 1024;

/// Why a value could not be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The bytes are not a sealed value.
    #[error("not a sealed value")]
    Malformed,
    /// Sealed under a data key that is not known here.
    #[error("sealed under data key {0}, which is not available")]
    UnknownVersion(u32),
    /// The key, the context or the bytes are not those of the sealing.
    #[error("the sealed value was changed, belongs elsewhere, or was sealed under another key")]
    Refused,
    /// No wrapping key opens the stored data key.
    #[error(
        "data key {0} cannot be unwrapped: if SECRET_KEY or ENCRYPTION_KEY_BASE64 was changed, \
         put the old value into SECRET_KEY_PREVIOUS"
    )]
    WrongSecret(u32),
    /// Longer than [`MAX_PLAINTEXT`].
    #[error("too long to be sealed")]
    TooLong,
    /// The operating system gave no random bytes.
    #[error("no randomness available")]
    Randomness,
    /// There is no data key at all.
    #[error("there is no data key")]
    NoKey,
}

impl From<SealError> for Error {
    fn from(error: SealError) -> Self {
        Self::internal(error)
    }
}

/// The keys that may unwrap data keys; the first of them wraps.
#[derive(Clone)]
pub struct WrappingKeys {
    current: KeyBytes,
    previous: Vec<KeyBytes>,
}

impl WrappingKeys {
    /// Wraps with a key derived from the master key.
    pub fn from_master(master: &MasterKey) -> Self {
        Self { current: derived(master), previous: Vec::new() }
    }

    /// Wraps with the 32 bytes of `ENCRYPTION_KEY_BASE64`.
    pub fn from_encryption_key(key: &EncryptionKey) -> Self {
        Self { current: Zeroizing::new(*key.expose()), previous: Vec::new() }
    }

    /// Also unwraps what an earlier master key wrapped: `SECRET_KEY_PREVIOUS`, or `SECRET_KEY` itself
    /// after `ENCRYPTION_KEY_BASE64` was introduced.
    #[must_use]
    pub fn and_master(mut self, earlier: &MasterKey) -> Self {
        self.previous.push(derived(earlier));
        self
    }

    /// Chooses from the settings: the encryption key if there is one, else the secret key, and
    /// whatever may have wrapped before.
    pub fn choose(
        encryption_key: Option<&EncryptionKey>,
        secret: &Secret,
        previous: Option<&Secret>,
    ) -> Self {
        let master = MasterKey::new(secret);
        let chosen = match encryption_key {
            Some(key) => Self::from_encryption_key(key).and_master(&master),
            None => Self::from_master(&master),
        };
        match previous {
            Some(previous) => chosen.and_master(&MasterKey::new(previous)),
            None => chosen,
        }
    }

    fn wrap(&self, version: u32, key: &KeyBytes) -> Result<WrappedKey, SealError> {
        let mut bytes = vec![FORMAT];
        wrapping::encrypt(&self.current, key.as_ref(), &wrap_context(version), &mut bytes)?;
        Ok(WrappedKey { version, bytes })
    }

    /// Returns the data key and whether an earlier key was needed.
    fn unwrap(&self, row: &WrappedKey) -> Result<(KeyBytes, bool), SealError> {
        let Some((&FORMAT, body)) = row.bytes.split_first() else { return Err(SealError::Malformed) };
        let candidates = std::iter::once(&self.current).chain(&self.previous).enumerate();
        for (position, candidate) in candidates {
            match wrapping::decrypt(candidate, body, &wrap_context(row.version)) {
                Ok(plain) => {
                    let key = <[u8; 32]>::try_from(plain.as_slice()).map_err(|_| SealError::Malformed)?;
                    return Ok((Zeroizing::new(key), position > 0));
                }
                Err(SealError::Refused) => {}
                Err(other) => return Err(other),
            }
        }
        Err(SealError::WrongSecret(row.version))
    }
}

impl std::fmt::Debug for WrappingKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WrappingKeys([REDACTED])")
    }
}

fn derived(master: &MasterKey) -> KeyBytes {
    Zeroizing::new(master.subkey("sealing: wrap data keys"))
}

fn wrap_context(version: u32) -> Vec<u8> {
    [b"syfthub data key ".as_slice(), &version.to_be_bytes()].concat()
}

/// A data key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// Counts from 1; the highest seals.
    pub version: u32,
    /// Opaque.
    pub bytes: Vec<u8>,
}

/// What [`Sealer::open_rows`] found.
#[derive(Debug)]
pub struct Opened {
    /// Ready to use.
    pub sealer: Sealer,
    /// Rows to store in place of those of the same version, because an earlier key had to unwrap
    /// them. Empty in the ordinary case.
    pub rewrapped: Vec<WrappedKey>,
}

/// Seals and opens values.
#[derive(Clone)]
pub struct Sealer {
    keys: BTreeMap<u32, KeyBytes>,
}

impl Sealer {
    /// First start: makes data key 1. The row must be stored before anything that was sealed.
    pub fn create(wrapping: &WrappingKeys) -> Result<(Self, WrappedKey), SealError> {
        let mut sealer = Self { keys: BTreeMap::new() };
        let row = sealer.add_version(wrapping)?;
        Ok((sealer, row))
    }

    /// Later starts: unwraps the stored rows, all of them or none.
    pub fn open_rows(wrapping: &WrappingKeys, rows: &[WrappedKey]) -> Result<Opened, SealError> {
        let mut keys = BTreeMap::new();
        let mut rewrapped = Vec::new();
        for row in rows {
            let (key, earlier) = wrapping.unwrap(row)?;
            if earlier {
                rewrapped.push(wrapping.wrap(row.version, &key)?);
            }
            keys.insert(row.version, key);
        }
        if keys.is_empty() {
            return Err(SealError::NoKey);
        }
        Ok(Opened { sealer: Self { keys }, rewrapped })
    }

    /// Adds a data key that seals from now on. The row must be stored first.
    pub fn add_version(&mut self, wrapping: &WrappingKeys) -> Result<WrappedKey, SealError> {
        let version = self.keys.keys().next_back().map_or(1, |last| last.saturating_add(1));
        let key = Zeroizing::new(crypto::random::<32>().map_err(|_| SealError::Randomness)?);
        let row = wrapping.wrap(version, &key)?;
        self.keys.insert(version, key);
        Ok(row)
    }

    /// Seals a value. `aad` says where it belongs (for example `signing-key:{kid}`): the value opens
    /// only with the same text, so rows cannot be swapped.
    pub fn seal(&self, plaintext: &[u8], aad: &[u8]) -> Result<Vec<u8>, SealError> {
        if plaintext.len() > MAX_PLAINTEXT {
            return Err(SealError::TooLong);
        }
        let (version, key) = self.keys.last_key_value().ok_or(SealError::NoKey)?;
        let capacity = HEADER_LENGTH + wrapping::NONCE_LENGTH + plaintext.len() + wrapping::TAG_LENGTH;
        let mut sealed = Vec::with_capacity(capacity);
        sealed.push(FORMAT);
        sealed.extend_from_slice(&version.to_be_bytes());
        let context = context(&sealed, aad);
        wrapping::encrypt(key, plaintext, &context, &mut sealed)?;
        Ok(sealed)
    }

    /// Opens a value that was sealed with the same `aad`.
    pub fn open(&self, sealed: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (header, body) = sealed.split_first_chunk::<HEADER_LENGTH>().ok_or(SealError::Malformed)?;
        let [FORMAT, version @ ..] = header else { return Err(SealError::Malformed) };
        let version = u32::from_be_bytes(*version);
        let key = self.keys.get(&version).ok_or(SealError::UnknownVersion(version))?;
        wrapping::decrypt(key, body, &context(header, aad))
    }

    /// Version of the data key that seals now; 0 only without any.
    pub fn current_version(&self) -> u32 {
        self.keys.keys().next_back().copied().unwrap_or(0)
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer").field("current_version", &self.current_version()).finish_non_exhaustive()
    }
}

/// The header is authenticated too. Its length is fixed, so the join is unambiguous.
fn context(header: &[u8], aad: &[u8]) -> Vec<u8> {
    [header, aad].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wrapping(secret: &str) -> WrappingKeys {
        WrappingKeys::choose(None, &Secret::new(secret.to_owned()), None)
    }

    #[test]
    fn a_later_start_opens_what_an_earlier_one_sealed() {
        let (sealer, row) = Sealer::create(&wrapping("s")).unwrap();
        let sealed = sealer.seal(b"a password", b"row 1").unwrap();
        let later = Sealer::open_rows(&wrapping("s"), &[row]).unwrap();
        assert!(later.rewrapped.is_empty());
        assert_eq!(later.sealer.open(&sealed, b"row 1").unwrap().as_slice(), b"a password");
    }

    #[test]
    fn a_changed_secret_is_survived_once_the_old_one_is_given() {
        let (sealer, row) = Sealer::create(&wrapping("old")).unwrap();
        let sealed = sealer.seal(b"x", b"").unwrap();
        let refused = Sealer::open_rows(&wrapping("new"), std::slice::from_ref(&row)).unwrap_err();
        assert_eq!(refused, SealError::WrongSecret(1));
        assert!(refused.to_string().contains("SECRET_KEY_PREVIOUS"));

        let (new, old) = (Secret::new("new".to_owned()), Secret::new("old".to_owned()));
        let both = WrappingKeys::choose(None, &new, Some(&old));
        let opened = Sealer::open_rows(&both, &[row]).unwrap();
        assert_eq!(opened.sealer.open(&sealed, b"").unwrap().as_slice(), b"x");
        // The rewrapped row no longer needs the old secret.
        let alone = Sealer::open_rows(&wrapping("new"), &opened.rewrapped).unwrap();
        assert_eq!(alone.sealer.open(&sealed, b"").unwrap().as_slice(), b"x");
    }

    #[test]
    fn an_encryption_key_takes_over_from_the_secret_key() {
        let secret = Secret::new("s".to_owned());
        let (_, row) = Sealer::create(&wrapping("s")).unwrap();
        let key = EncryptionKey::new([7; 32]);
        let both = WrappingKeys::choose(Some(&key), &secret, None);
        let opened = Sealer::open_rows(&both, &[row]).unwrap();
        let alone = WrappingKeys::from_encryption_key(&key);
        assert!(Sealer::open_rows(&alone, &opened.rewrapped).is_ok());
    }

    #[test]
    fn a_new_version_seals_and_the_old_one_still_opens() {
        let wrapping = wrapping("s");
        let (mut sealer, first) = Sealer::create(&wrapping).unwrap();
        let old = sealer.seal(b"old", b"").unwrap();
        let second = sealer.add_version(&wrapping).unwrap();
        assert_eq!((second.version, sealer.current_version()), (2, 2));
        let new = sealer.seal(b"new", b"").unwrap();
        let only_first = Sealer::open_rows(&wrapping, std::slice::from_ref(&first)).unwrap().sealer;
        assert_eq!(only_first.open(&new, b"").unwrap_err(), SealError::UnknownVersion(2));
        let both = Sealer::open_rows(&wrapping, &[second, first]).unwrap().sealer;
        assert_eq!(both.open(&old, b"").unwrap().as_slice(), b"old");
        assert_eq!(both.open(&new, b"").unwrap().as_slice(), b"new");
    }

    #[test]
    fn wrapped_keys_cannot_change_places() {
        let wrapping = wrapping("s");
        let (mut sealer, mut first) = Sealer::create(&wrapping).unwrap();
        sealer.add_version(&wrapping).unwrap();
        first.version = 2;
        assert_eq!(Sealer::open_rows(&wrapping, &[first]).unwrap_err(), SealError::WrongSecret(2));
        assert_eq!(Sealer::open_rows(&wrapping, &[]).unwrap_err(), SealError::NoKey);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_sealed_can_be_opened(plain in prop::collection::vec(any::<u8>(), 0..2000), aad in ".{0,40}") {
            let (sealer, _) = Sealer::create(&wrapping("s")).unwrap();
            let sealed = sealer.seal(&plain, aad.as_bytes()).unwrap();
            let opened = sealer.open(&sealed, aad.as_bytes()).unwrap();
            prop_assert_eq!(opened.as_slice(), plain.as_slice());
            prop_assert_ne!(sealer.seal(&plain, aad.as_bytes()).unwrap(), sealed);
        }

        #[test]
        fn any_changed_bit_is_noticed(plain in prop::collection::vec(any::<u8>(), 0..100), at in any::<prop::sample::Index>(), bit in 0_u8..8) {
            let (sealer, _) = Sealer::create(&wrapping("s")).unwrap();
            let mut sealed = sealer.seal(&plain, b"here").unwrap();
            let at = at.index(sealed.len());
            sealed[at] ^= 1 << bit;
            prop_assert!(sealer.open(&sealed, b"here").is_err());
        }

        #[test]
        fn another_context_is_refused(plain in prop::collection::vec(any::<u8>(), 0..100), aad in ".{1,20}") {
            let (sealer, _) = Sealer::create(&wrapping("s")).unwrap();
            let sealed = sealer.seal(&plain, aad.as_bytes()).unwrap();
            prop_assert_eq!(sealer.open(&sealed, b"").unwrap_err(), SealError::Refused);
        }

        #[test]
        fn no_bytes_make_opening_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let (sealer, _) = Sealer::create(&wrapping("s")).unwrap();
            prop_assert!(sealer.open(&bytes, b"").is_err());
        }
    }
}
