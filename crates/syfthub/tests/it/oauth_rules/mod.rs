//! What the standards ask, one family of rules in each test. `docs/security/oauth-matrix.md` says which rule is where.

mod authorize;
mod clients;
mod discovery;
mod openid;
mod resource;
mod tokens;
