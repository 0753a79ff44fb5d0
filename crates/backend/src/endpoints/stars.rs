//! Stars.

use syfthub_auth::Principal;
use syfthub_domain::{EndpointId, Result};
use syfthub_store::endpoints;

use super::Endpoints;

impl Endpoints {
    /// Gives the caller's star. False when it was there already.
    pub(crate) async fn star(&self, viewer: &Principal, id: EndpointId) -> Result<bool> {
        self.get(viewer, id).await?;
        let mut tx = self.db.begin().await?;
        let is_new = endpoints::star(&mut tx, viewer.user_id, id, self.clock.now()).await?;
        tx.commit().await?;
        if is_new {
            self.listings.changed().await;
        }
        Ok(is_new)
    }

    /// Takes the caller's star back, if there is one.
    pub(crate) async fn unstar(&self, viewer: &Principal, id: EndpointId) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let was_there = endpoints::unstar(&mut tx, viewer.user_id, id).await?;
        tx.commit().await?;
        if was_there {
            self.listings.changed().await;
        }
        Ok(())
    }

    /// Whether the caller has given a star.
    pub(crate) async fn is_starred(&self, viewer: &Principal, id: EndpointId) -> Result<bool> {
        Ok(endpoints::is_starred(&self.db, viewer.user_id, id).await?)
    }
}
