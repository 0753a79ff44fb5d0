//! The JSON of tunnels.

use serde::Serialize;
use utoipa::ToSchema;

/// A credential that opens a tunnel under one name.
#[derive(Serialize, ToSchema)]
pub(crate) struct TunnelCredentials {
    /// For the agent of the provider. It is not kept and cannot be shown again.
    pub(crate) auth_token: String,
    /// The name under which the tunnel can be reached.
    #[schema(example = "alice.syfthub.ngrok.app")]
    pub(crate) domain: String,
}
