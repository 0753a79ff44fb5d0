//! What our own services may ask: one table says which service may call which method.

pub(crate) mod grpc;

use syfthub_rpc::Caller;

/// A method of the internal services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    VerifyCredential,
    VerifyBoundToken,
    FindUser,
    MintSatelliteTokens,
    ResolveEndpoints,
    SearchEndpoints,
    ListEndpoints,
    ResolvePreset,
    ListPresets,
    DescribeEndpoints,
    ReportBreakers,
    ListKeys,
    RotateKey,
    RetireKey,
    ReportErrors,
    RecordUsage,
    CheckConversation,
    AppendConversation,
    UseTools,
    /// The state of the authorization server.
    OAuth,
    /// Its clients, which operators manage too.
    OAuthClients,
}

/// The table. Backend itself calls nobody, so it is in no row.
pub(crate) const fn callers(method: Method) -> &'static [Caller] {
    match method {
        Method::VerifyCredential | Method::ListEndpoints | Method::SearchEndpoints => {
            &[Caller::Aggregator, Caller::Mcp, Caller::Cli]
        }
        Method::ListKeys | Method::RotateKey | Method::RetireKey => &[Caller::Cli],
        Method::VerifyBoundToken
        | Method::RecordUsage
        | Method::CheckConversation
        | Method::AppendConversation
        | Method::DescribeEndpoints
        | Method::ReportBreakers => &[Caller::Aggregator],
        Method::UseTools | Method::OAuth => &[Caller::Mcp],
        Method::FindUser | Method::OAuthClients => &[Caller::Mcp, Caller::Cli],
        Method::MintSatelliteTokens
        | Method::ResolveEndpoints
        | Method::ResolvePreset
        | Method::ListPresets
        | Method::ReportErrors => &[Caller::Aggregator, Caller::Mcp],
    }
}
