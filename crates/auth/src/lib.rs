//! Tokens, keys, passwords, and who may do what.
//!
//! Nothing here touches a database or a socket: callers hand in keys and the present moment, and
//! store what comes out. CPU-heavy work (RS256 signatures, Argon2id) runs on bounded thread pools
//! of its own, so that it never blocks an async thread and never queues without limit.

pub mod access_token;
mod arena;
pub mod at_jwt;
pub mod client_assertion;
mod crypto;
pub mod dpop;
pub mod grant_ticket;
mod hub_claims;
pub mod hub_tokens;
pub mod id_token;
pub mod jws;
pub mod keys;
mod master;
pub mod oauth_keys;
pub mod passwords;
mod pem;
mod pool;
mod principal;
pub mod public_jwk;
pub mod satellite;
mod sealed_box;
pub mod sealing;
pub mod signer;
mod wrapping;

pub use crypto::install_crypto;
pub use master::MasterKey;
pub use principal::{Action, Principal};
pub use sealed_box::SealedBox;
