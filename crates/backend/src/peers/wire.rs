//! The JSON of peers.

use serde::Serialize;
use utoipa::ToSchema;

/// Whom a peer token is for.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body for the API document")]
pub(super) struct PeerTokenRequest {
    /// Owners of the services to be reached, 1 to 100.
    #[schema(min_items = 1, max_items = 100, example = json!(["alice"]))]
    target_usernames: Vec<TargetName>,
}

/// Whom a guest's peer token is for.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body for the API document")]
pub(super) struct GuestPeerTokenRequest {
    /// Owners of the services to be reached, at most 100.
    #[schema(max_items = 100, example = json!(["alice"]))]
    target_usernames: Option<Vec<TargetName>>,
}

/// The username of an owner, in any case.
#[derive(ToSchema)]
#[schema(max_length = 100, example = "alice")]
#[expect(dead_code, reason = "describes the body for the API document")]
pub(super) struct TargetName(String);

/// A peer token and where to use it.
#[derive(Serialize, ToSchema)]
#[schema(as = PeerToken)]
#[expect(clippy::struct_field_names, reason = "the names are those of the wire")]
pub(crate) struct Peer {
    /// Opaque.
    #[schema(pattern = "^pt_[A-Za-z0-9_-]{43}$")]
    pub(crate) peer_token: String,
    /// The channel on which answers come.
    #[schema(pattern = "^peer_[0-9a-f]{32}$")]
    pub(crate) peer_channel: String,
    /// Its life in seconds.
    pub(crate) expires_in: u64,
    /// Where clients reach the NATS server.
    pub(crate) nats_url: String,
}

/// What the NATS server asks every client for.
#[derive(Serialize, ToSchema)]
pub(super) struct NatsCredentials {
    /// One secret for all clients.
    pub(super) nats_auth_token: String,
}

/// A public key to be set.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body for the API document")]
pub(super) struct NewEncryptionKey {
    /// 32 bytes in base64url, padded or not.
    #[schema(
        pattern = "^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]=?$",
        example = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    )]
    encryption_public_key: String,
}

/// A user's public key.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EncryptionKey {
    /// As it was set; null if the user has none.
    pub(super) encryption_public_key: Option<String>,
}

/// That something was done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Done {
    /// Always `ok`.
    pub(super) status: &'static str,
}
