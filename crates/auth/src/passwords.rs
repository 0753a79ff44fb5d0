//! Password hashes: Argon2id on threads of their own, which leave one core to everything else.
//!
//! Each hash takes 64 MiB and a good part of a second by design. The queue is short and a full one
//! answers 503, so that a burst of logins cannot take the memory or starve everything else
//! (`docs/decisions/0019-hashing-leaves-a-core.md`).

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use syfthub_config::Argon2Params;
use syfthub_domain::{Error, Result};
use zeroize::Zeroizing;

use crate::arena::{Arenas, Turn};
use crate::crypto;
use crate::pool::{Pool, Shape};

/// On a machine of one core hashing takes what other requests leave over.
const NICENESS: i32 = 10;

/// Most threads. Each hash takes 64 MiB while it runs, and a container of the usual size must hold them all
/// on a machine of any size.
const MAX_THREADS: usize = 4;

/// Bytes of the output of a new hash.
const OUTPUT: usize = 32;

/// Longest password that is looked at, in characters. Longer ones are refused when they are set.
pub const MAX_LENGTH: usize = 1024;

/// Hashes and verifies passwords.
#[derive(Clone)]
pub struct Passwords {
    pool: Pool,
    arenas: Arenas,
    params: Params,
    /// A hash that no password has, of the same cost as a real one.
    dummy: Arc<str>,
}

impl Passwords {
    /// Starts `threads` threads (0: one per core but one, at least one, at most four) with room for `max_queue` waiting requests.
    pub fn new(params: &Argon2Params, threads: usize, max_queue: usize) -> Result<Self> {
        let pool = Pool::start(&Shape {
            name: "argon2",
            threads,
            most: MAX_THREADS,
            spared_cores: 1,
            niceness: NICENESS,
            max_queue,
            busy: "Too many sign-ins at this moment; try again in a few seconds",
            retry_after: Duration::from_secs(2),
        })?;
        let cost = Params::new(params.memory_kib, params.iterations, params.parallelism, Some(OUTPUT))
            .map_err(fault)?;
        Ok(Self { pool, arenas: Arenas::default(), params: cost, dummy: dummy_hash(params)?.into() })
    }

    /// Hashes a password; the result is a PHC string (`$argon2id$v=19$m=…`).
    pub async fn hash(&self, password: String) -> Result<String> {
        let (params, password) = (self.params.clone(), Zeroizing::new(password));
        let mut turn = self.arenas.turn();
        self.pool
            .run(move || {
                let salt = Salt::new(&crypto::random::<16>()?).map_err(fault)?;
                let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
                let hash = PasswordHash {
                    algorithm: Algorithm::Argon2id.ident(),
                    version: Some(Version::V0x13.into()),
                    params: ParamsString::try_from(&params).map_err(fault)?,
                    hash: Some(derive(&argon2, OUTPUT, &password, &salt, &mut turn)?),
                    salt: Some(salt),
                };
                Ok(hash.to_string())
            })
            .await
    }

    /// Compares a password with a stored PHC string. The cost is that of the stored hash.
    pub async fn verify(&self, password: String, phc: &str) -> Result<bool> {
        let (password, phc) = (Zeroizing::new(password), phc.to_owned());
        let mut turn = self.arenas.turn();
        self.pool
            .run(move || {
                let stored = PasswordHash::new(&phc)
                    .map_err(|_| Error::internal("a stored password hash is not a PHC string"))?;
                if password.chars().count() > MAX_LENGTH {
                    return Ok(false);
                }
                matches(&password, &stored, &mut turn)
            })
            .await
    }

    /// Spends as long as [`Self::verify`] and always says no: for names that do not exist, so that
    /// the time to answer does not tell whether they do.
    pub async fn dummy_verify(&self, password: String) -> Result<bool> {
        let dummy = Arc::clone(&self.dummy);
        self.verify(password, &dummy).await.map(|_| false)
    }

    /// Whether a stored hash was made with other parameters than those of today and should be
    /// replaced at the next successful sign-in.
    pub fn needs_rehash(&self, phc: &str) -> bool {
        let Ok(stored) = PasswordHash::new(phc) else { return true };
        let Ok(params) = Params::try_from(&stored) else { return true };
        let (now, then) = (&self.params, &params);
        stored.algorithm.as_str() != "argon2id"
            || (now.m_cost(), now.t_cost(), now.p_cost()) != (then.m_cost(), then.t_cost(), then.p_cost())
    }
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passwords").field("params", &self.params).finish_non_exhaustive()
    }
}

/// Whether `password` is the one that was stored. Outputs are compared in constant time.
fn matches(password: &str, stored: &PasswordHash, turn: &mut Turn) -> Result<bool> {
    let (Some(salt), Some(expected)) = (&stored.salt, &stored.hash) else {
        return Err(Error::internal("a stored password hash has no salt or no output"));
    };
    let algorithm = Algorithm::try_from(stored.algorithm.as_str()).map_err(fault)?;
    let version = stored.version.map_or(Ok(Version::default()), Version::try_from).map_err(fault)?;
    let argon2 = Argon2::new(algorithm, version, Params::try_from(stored).map_err(fault)?);
    Ok(derive(&argon2, expected.len(), password, salt, turn)? == *expected)
}

/// The Argon2 output of `length` bytes.
fn derive(
    argon2: &Argon2<'_>,
    length: usize,
    password: &str,
    salt: &[u8],
    turn: &mut Turn,
) -> Result<Output> {
    let mut out = [0; Output::MAX_LENGTH];
    let out = out.get_mut(..length).ok_or_else(|| Error::internal("a stored password hash is too long"))?;
    let blocks = turn.blocks(argon2.params().block_count());
    argon2.hash_password_into_with_memory(password.as_bytes(), salt, out, blocks).map_err(fault)?;
    Output::new(out).map_err(fault)
}

fn fault(error: impl std::fmt::Display) -> Error {
    Error::internal(error.to_string())
}

/// Random output under a random salt: costs nothing to make and matches no password.
fn dummy_hash(params: &Argon2Params) -> Result<String> {
    let (salt, output) = (crypto::random::<16>()?, crypto::random::<32>()?);
    Ok(format!(
        "$argon2id$v=19$m={},t={},p={}${}${}",
        params.memory_kib,
        params.iterations,
        params.parallelism,
        STANDARD_NO_PAD.encode(salt),
        STANDARD_NO_PAD.encode(output)
    ))
}

#[cfg(test)]
mod tests {
    use argon2::{PasswordHasher, PasswordVerifier};

    use super::*;

    fn cheap() -> Passwords {
        let params = Argon2Params { memory_kib: 32, iterations: 1, parallelism: 1 };
        Passwords::new(&params, 1, 8).unwrap()
    }

    #[tokio::test]
    async fn the_right_password_is_recognised_and_no_other() {
        let passwords = cheap();
        let hash = passwords.hash("correct horse 1".to_owned()).await.unwrap();
        assert!(passwords.verify("correct horse 1".to_owned(), &hash).await.unwrap());
        assert!(!passwords.verify("correct horse 2".to_owned(), &hash).await.unwrap());
        assert_ne!(hash, passwords.hash("correct horse 1".to_owned()).await.unwrap());
    }

    #[tokio::test]
    async fn the_dummy_costs_the_same_and_says_no() {
        let passwords = cheap();
        assert!(!passwords.dummy_verify("anything".to_owned()).await.unwrap());
        assert!(!passwords.needs_rehash(&passwords.dummy));
    }

    #[tokio::test]
    async fn a_hash_that_is_none_is_an_error_and_not_a_refusal() {
        assert!(cheap().verify("x".to_owned(), "not a hash").await.is_err());
        assert!(cheap().needs_rehash("not a hash"));
    }

    #[tokio::test]
    async fn memory_that_held_another_hash_changes_nothing() {
        let passwords = cheap();
        let mut waiting = passwords.arenas.turn();
        waiting.blocks(passwords.params.block_count()).fill(argon2::Block::default());
        let hash = passwords.hash("first 1".to_owned()).await.unwrap(); // leaves its memory behind
        assert!(!passwords.verify("second 1".to_owned(), &hash).await.unwrap());
        assert!(passwords.verify("first 1".to_owned(), &hash).await.unwrap());
        let crate_alone = Argon2::new(Algorithm::Argon2id, Version::V0x13, passwords.params.clone());
        assert!(crate_alone.verify_password(b"first 1", &PasswordHash::new(&hash).unwrap()).is_ok());
    }

    #[tokio::test]
    async fn hashes_of_other_costs_and_lengths_are_read() {
        let old = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 2, 2, Some(16)).unwrap());
        let hash = old.hash_password_with_salt(b"old 1", b"0123456789abcdef").unwrap().to_string();
        assert!(cheap().verify("old 1".to_owned(), &hash).await.unwrap());
        assert!(!cheap().verify("old 2".to_owned(), &hash).await.unwrap());
    }

    /// The one test with the real cost: these parameters are the contract, never weaker.
    #[tokio::test]
    async fn the_real_parameters_are_those_of_the_contract() {
        let params = Argon2Params::STANDARD;
        let passwords = Passwords::new(&params, 1, 1).unwrap();
        let hash = passwords.hash("pässword 1".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=65536,t=3,p=4$"), "{hash}");
        assert!(passwords.verify("pässword 1".to_owned(), &hash).await.unwrap());
        assert!(cheap().needs_rehash(&hash));
    }
}
