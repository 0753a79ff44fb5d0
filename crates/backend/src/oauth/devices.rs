//! Devices without a browser (RFC 8628).

use syfthub_domain::{Error, ErrorCode, Result};
use syfthub_store::oauth::devices::{self, DeviceRow, NewDevice, Poll};
use syfthub_store::oauth::{NewRefreshToken, grants};

use super::{Asked, OAuth, new_grant, record_created};

fn unknown() -> Error {
    Error::not_found("No device waits under this code; check it, or begin again on the device")
}

impl OAuth {
    /// Stores a device's request.
    pub(super) async fn begin_device(&self, asked: &Asked, new: &NewDevice) -> Result<()> {
        self.check_scopes(asked)?;
        let mut tx = self.db.begin().await?;
        devices::insert(&mut tx, new, self.clock.now()).await.map_err(|error| {
            if error.is_unique(devices::UNIQUE_USER_CODE) {
                Error::new(ErrorCode::Conflict, "This user code is taken")
            } else {
                error.into()
            }
        })?;
        Ok(tx.commit().await?)
    }

    /// The request that waits under a user code.
    pub(super) async fn find_device(&self, user_code: &str) -> Result<DeviceRow> {
        devices::find_pending(&self.db, user_code, self.clock.now()).await?.ok_or_else(unknown)
    }

    /// The user of a browser session agrees or refuses.
    pub(super) async fn decide_device(&self, session: &str, user_code: &str, approve: bool) -> Result<()> {
        let now = self.clock.now();
        let (session, user) = self.access.browser_session(session, None, now).await?;
        let mut tx = self.db.begin().await?;
        let device = devices::find_pending(&mut tx, user_code, now).await?.ok_or_else(unknown)?;
        let mut grant = None;
        if approve {
            let asked = Asked {
                client_id: device.client_id,
                client_name: device.client_name,
                resource: device.resource,
                scopes: device.scopes,
                dpop_jkt: device.dpop_jkt,
            };
            let new = new_grant(&asked, Some((&user, session.created_at)), device.expires_at);
            grant = Some(grants::insert(&mut tx, &new, now).await?);
        }
        let id = grant.as_ref().map(|grant| grant.id.as_str());
        if !devices::decide(&mut tx, user_code, id, now).await? {
            return Err(unknown());
        }
        if let Some(grant) = &grant {
            record_created(&mut tx, &user, grant, now).await?;
        }
        Ok(tx.commit().await?)
    }

    /// What a device is told.
    pub(super) async fn poll_device(
        &self,
        hash: &str,
        client_id: &str,
        dpop_jkt: Option<&str>,
        refresh: Option<&NewRefreshToken<'_>>,
    ) -> Result<Poll> {
        let mut tx = self.db.begin().await?;
        let poll = devices::poll(&mut tx, hash, client_id, dpop_jkt, refresh, self.clock.now()).await?;
        tx.commit().await?;
        Ok(poll)
    }
}
