//! Clients that registered themselves, and those of the operator.

use serde_json::{Value, json};
use syfthub_domain::{Error, ErrorCode, Result};
use syfthub_store::oauth::clients::{self, ClientRow, NewClient};

use super::OAuth;
use crate::audit::{self, Origin};

pub(super) fn unknown() -> Error {
    Error::not_found("There is no such OAuth client; it may have ended because nobody used it")
}

impl OAuth {
    /// Stores a client.
    pub(super) async fn register_client(&self, origin: &Origin, new: &NewClient) -> Result<ClientRow> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let row = clients::insert(&mut tx, new, now).await.map_err(|error| {
            if error.is_unique(clients::UNIQUE) {
                Error::new(ErrorCode::Conflict, "There is an OAuth client with this id already")
            } else {
                error.into()
            }
        })?;
        let mut entry = origin.entry(now, "oauth_client.created", "oauth_client", &row.client_id);
        entry.after = Some(told(&row));
        audit::record(&mut tx, &entry).await?;
        tx.commit().await?;
        tracing::info!(target: "syfthub.api.auth", client_id = row.client_id, kind = row.kind, "oauth.client.created");
        Ok(row)
    }

    /// The client of this id.
    pub(super) async fn client(&self, client_id: &str) -> Result<ClientRow> {
        clients::find(&self.db, client_id, self.clock.now()).await?.ok_or_else(unknown)
    }

    /// Replaces the metadata of a client, and the secret if there is another one.
    pub(super) async fn update_client(
        &self,
        origin: &Origin,
        client_id: &str,
        metadata: &Value,
        secret_hash: Option<&str>,
    ) -> Result<ClientRow> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let before = clients::find(&mut tx, client_id, now).await?.ok_or_else(unknown)?;
        let row = clients::update(&mut tx, client_id, metadata, secret_hash, now).await?;
        let row = row.ok_or_else(unknown)?;
        let mut entry = origin.entry(now, "oauth_client.updated", "oauth_client", client_id);
        (entry.before, entry.after) = (Some(told(&before)), Some(told(&row)));
        audit::record(&mut tx, &entry).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// Takes a client away, with all its grants.
    pub(super) async fn delete_client(&self, origin: &Origin, client_id: &str) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let before = clients::find(&mut tx, client_id, now).await?.ok_or_else(unknown)?;
        if !clients::delete(&mut tx, client_id, now).await? {
            return Err(unknown());
        }
        let mut entry = origin.entry(now, "oauth_client.deleted", "oauth_client", client_id);
        entry.before = Some(told(&before));
        audit::record(&mut tx, &entry).await?;
        tx.commit().await?;
        // Its grants may be of any users.
        self.access.forget_everybody().await;
        tracing::info!(target: "syfthub.api.auth", client_id, "oauth.client.deleted");
        Ok(())
    }

    /// A page of clients of one kind or of both, newest first.
    pub(super) async fn clients(
        &self,
        kind: Option<&str>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ClientRow>> {
        Ok(clients::list(&self.db, kind, after, limit, self.clock.now()).await?)
    }
}

/// What the audit log keeps of a client.
fn told(row: &ClientRow) -> Value {
    json!({
        "kind": row.kind, "client_name": row.metadata.get("client_name"),
        "redirect_uris": row.metadata.get("redirect_uris"), "has_secret": row.secret_hash.is_some(),
        "grant_types": row.metadata.get("grant_types"), "scope": row.metadata.get("scope"), "acts_as": row.acts_as,
    })
}
