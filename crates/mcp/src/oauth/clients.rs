//! Finds a client by its id: one that is stored, or one that publishes what it is (Client ID Metadata Documents).

use serde_json::json;
use syfthub_domain::Result;
use syfthub_proto::oauth as wire;
use syfthub_web::ClientIp;

use super::documents::{self, Documents};
use super::hub::Hub;
use super::metadata::{DEVICE_CODE, Metadata, Proof};
use super::redirects;

/// Longest id: that of a document is its address.
pub(crate) const LONGEST_ID: usize = 1024;

/// The command line of this product, which needs no registration. Anybody can say that they are it, so nothing is
/// given to it without a person who enters the code of a device.
const COMMAND_LINE: &str = "syfthub-cli";

/// A client as the protocol needs it.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) metadata: Metadata,
    /// SHA-256 of its secret; empty without one.
    secret_hash: Vec<u8>,
    /// The host that vouches for what it says; a registered client vouches for itself.
    pub(crate) vouched_by: Option<String>,
}

impl Client {
    /// What it calls itself.
    pub(crate) fn name(&self) -> String {
        self.metadata.name().map_or_else(|| "A program without a name".to_owned(), str::to_owned)
    }

    /// Whether a browser may be sent there with an answer for this client.
    pub(crate) fn redirects_to(&self, requested: &str) -> bool {
        self.metadata.redirect_uris().any(|registered| redirects::matches(registered, requested))
    }

    /// What its secret hashes to; `None` for one that needs none.
    pub(crate) fn secret_hash(&self) -> Option<&[u8]> {
        (self.metadata.proof() == Proof::Secret).then_some(&self.secret_hash)
    }

    pub(crate) fn stored(stored: &wire::Client) -> Option<Self> {
        Some(Self {
            id: stored.client_id.clone(),
            metadata: Metadata::stored(&stored.metadata_json)?,
            secret_hash: stored.secret_hash.clone(),
            vouched_by: None,
        })
    }

    fn command_line() -> Option<Self> {
        let metadata = json!({
            "client_name": "SyftHub command line",
            "redirect_uris": [],
            "token_endpoint_auth_method": "none",
            "grant_types": [DEVICE_CODE, "refresh_token"],
            "response_types": [],
        });
        let metadata = Metadata::stored(&metadata.to_string())?;
        Some(Self { id: COMMAND_LINE.to_owned(), metadata, secret_hash: Vec::new(), vouched_by: None })
    }

    pub(super) fn published(id: String, host: String, metadata: Metadata) -> Self {
        Self { id, metadata, secret_hash: Vec::new(), vouched_by: Some(host) }
    }
}

/// Finds clients.
#[derive(Debug)]
pub(crate) struct Clients {
    hub: Hub,
    documents: Documents,
}

impl Clients {
    pub(crate) fn new(hub: Hub, documents: Documents) -> Self {
        Self { hub, documents }
    }

    /// The client with this id, or in words why there is none.
    pub(crate) async fn find(&self, id: &str, asks: ClientIp) -> Result<std::result::Result<Client, String>> {
        let unknown =
            || "This client is not known here, or it was not used for a long time; let it register again";
        if id.is_empty() || id.len() > LONGEST_ID || id.chars().any(char::is_control) {
            return Ok(Err(unknown().to_owned()));
        }
        if id == COMMAND_LINE {
            return Ok(Client::command_line().ok_or_else(|| unknown().to_owned()));
        }
        if documents::is_address(id) {
            return self.documents.client(id, asks).await;
        }
        let stored = self.hub.client(id).await?;
        Ok(stored.as_ref().and_then(Client::stored).ok_or_else(|| unknown().to_owned()))
    }
}
