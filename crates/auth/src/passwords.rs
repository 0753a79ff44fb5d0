//! Password hashes: Argon2id on threads of their own, one hash per core at a time and at most four.
//!
//! Each hash takes 64 MiB and a good part of a second by design. The queue is short and a full one
//! answers 503, so that a burst of logins cannot take the memory or starve everything else.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use syfthub_config::Argon2Params;
use syfthub_domain::{Error, Result};
use zeroize::Zeroizing;

use crate::crypto;
use crate::pool::{Pool, Shape};

/// A flood of sign-ins must not slow other requests down: hashing takes what they leave over.
const NICENESS: i32 = 10;

/// Most threads. Each hash takes 64 MiB while it runs, and a container of the usual size must hold them all
/// on a machine of any size.
const MAX_THREADS: usize = 4;

/// Longest password that is looked at, in characters. Longer ones are refused when they are set.
pub const MAX_LENGTH: usize = 1024;

/// Hashes and verifies passwords.
#[derive(Clone)]
pub struct Passwords {
    pool: Pool,
    argon2: Argon2<'static>,
    /// A hash that no password has, of the same cost as a real one.
    dummy: Arc<str>,
}

impl Passwords {
    /// Starts `threads` threads (0: one per core, at most four) with room for `max_queue` waiting requests.
    pub fn new(params: &Argon2Params, threads: usize, max_queue: usize) -> Result<Self> {
        let pool = Pool::start(&Shape {
            name: "argon2",
            threads,
            most: MAX_THREADS,
            niceness: NICENESS,
            max_queue,
            busy: "Too many sign-ins at this moment; try again in a few seconds",
            retry_after: Duration::from_secs(2),
        })?;
        let cost = Params::new(params.memory_kib, params.iterations, params.parallelism, None)
            .map_err(|error| Error::internal(error.to_string()))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, cost);
        Ok(Self { pool, argon2, dummy: dummy_hash(params)?.into() })
    }

    /// Hashes a password; the result is a PHC string (`$argon2id$v=19$m=…`).
    pub async fn hash(&self, password: String) -> Result<String> {
        let (argon2, password) = (self.argon2.clone(), Zeroizing::new(password));
        self.pool
            .run(move || {
                let salt = crypto::random::<16>()?;
                argon2
                    .hash_password_with_salt(password.as_bytes(), &salt)
                    .map(|hash| hash.to_string())
                    .map_err(|error| Error::internal(error.to_string()))
            })
            .await
    }

    /// Compares a password with a stored PHC string. The cost is that of the stored hash.
    pub async fn verify(&self, password: String, phc: &str) -> Result<bool> {
        let (argon2, password, phc) = (self.argon2.clone(), Zeroizing::new(password), phc.to_owned());
        self.pool
            .run(move || {
                let stored = PasswordHash::new(&phc)
                    .map_err(|_| Error::internal("a stored password hash is not a PHC string"))?;
                if password.chars().count() > MAX_LENGTH {
                    return Ok(false);
                }
                Ok(argon2.verify_password(password.as_bytes(), &stored).is_ok())
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
        let (now, then) = (self.argon2.params(), &params);
        stored.algorithm.as_str() != "argon2id"
            || (now.m_cost(), now.t_cost(), now.p_cost()) != (then.m_cost(), then.t_cost(), then.p_cost())
    }
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passwords").field("params", self.argon2.params()).finish_non_exhaustive()
    }
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
