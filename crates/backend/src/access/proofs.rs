//! Tokens that are bound to a key: whoever shows one proves the key with every request (RFC 9449, section 7).

use std::net::IpAddr;

use syfthub_auth::Principal;
use syfthub_auth::dpop::{Expected, ProofError};
use syfthub_domain::{Error, Result, Timestamp};
use syfthub_web::dpop;
use syfthub_web::route_table::Owner;
use uuid::Uuid;

use super::Access;

/// Tickets of a grant change this often, so that the same one is remembered.
const TICKET_SECONDS: i64 = 60;

impl Access {
    /// The user behind a token of `Authorization: DPoP`, whose proof is of this request and was never shown before.
    pub(crate) async fn authenticate_bound(
        &self,
        proof: &str,
        request: Expected<'_>,
        from: Option<IpAddr>,
    ) -> Result<Principal> {
        let token = request.access_token.unwrap_or_default();
        let verified = self.verified(token, from).await?;
        let Some(key) = verified.key else {
            let text = "The token is bound to no key; send it as Authorization: Bearer";
            return Err(Error::unauthenticated(text));
        };
        let proven = self.proofs.check(proof, request).await?;
        if proven.thumbprint != *key {
            return Err(ProofError::OtherKey.into());
        }
        Ok(verified.principal)
    }

    /// The addresses by which the outside reaches a path of ours; a slash at its end makes no difference here.
    pub(crate) fn addresses(&self, path: &str) -> Vec<String> {
        let mut all = dpop::addresses(self.grants.origin(), Owner::Backend, path);
        let with_slash: Vec<String> = all.iter().map(|address| format!("{address}/")).collect();
        all.extend(with_slash);
        all
    }

    /// What stands for such a user between our own services.
    pub(crate) fn ticket(&self, principal: &Principal) -> Result<String> {
        let grant = principal.session.as_deref().and_then(|id| Uuid::parse_str(id).ok());
        let grant = grant.ok_or_else(|| Error::internal("a token that is bound to a key has no grant"))?;
        let now = self.clock.now().as_secs();
        let now = Timestamp::from_secs(now - now.rem_euclid(TICKET_SECONDS));
        self.grants.ticket(grant, &principal.scopes, now)
    }
}
