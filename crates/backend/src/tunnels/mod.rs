//! Credentials with which a user's service gets a public address at a tunnel provider.

mod ngrok;
pub(crate) mod routes;
mod wire;

use async_trait::async_trait;
use syfthub_auth::Principal;
use syfthub_config::Secret;
use syfthub_domain::{Error, ErrorCode, Result, SharedClock};
use syfthub_store::Db;

use self::ngrok::NgrokProvider;
use self::wire::TunnelCredentials;
use crate::audit::{Origin, record};
use crate::parts::Parts;

/// Makes credentials that open a tunnel under one name and no other.
#[async_trait]
trait TunnelProvider: std::fmt::Debug + Send + Sync {
    /// A new credential for this domain, described so that an operator can tell whose it is.
    async fn issue(&self, domain: &str, description: &str) -> Result<Secret>;
}

/// The rules of the feature.
#[derive(Debug)]
pub(crate) struct Tunnels {
    db: Db,
    clock: SharedClock,
    /// The provider, and the domain under which every user gets a name.
    provider: Option<(Box<dyn TunnelProvider>, String)>,
}

impl Tunnels {
    /// Builds the feature.
    pub(crate) fn build(parts: &Parts) -> Result<Self> {
        let provider = match &parts.settings.optional.ngrok {
            Some(ngrok) => {
                let provider: Box<dyn TunnelProvider> = Box::new(NgrokProvider::new(ngrok)?);
                Some((provider, ngrok.base_domain.clone()))
            }
            None => None,
        };
        Ok(Self { db: parts.db.clone(), clock: parts.clock.clone(), provider })
    }

    /// Makes a credential for the caller. It is not kept: whoever loses it asks for another.
    pub(crate) async fn issue(&self, origin: &Origin, caller: &Principal) -> Result<TunnelCredentials> {
        let Some((provider, base)) = &self.provider else {
            let text = "Tunnels are not configured on this hub; its operator sets NGROK_API_KEY";
            return Err(Error::new(ErrorCode::NotConfigured, text));
        };
        let domain = format!("{}.{base}", caller.username.as_str());
        let auth_token =
            provider.issue(&domain, &format!("SyftHub user {}", caller.username.as_str())).await?;
        let entry = origin.entry(self.clock.now(), "tunnel.credential_issued", "user", caller.user_id);
        let mut tx = self.db.begin().await?;
        record(&mut tx, &entry).await?;
        tx.commit().await?;
        Ok(TunnelCredentials { auth_token: auth_token.expose().to_owned(), domain })
    }
}
