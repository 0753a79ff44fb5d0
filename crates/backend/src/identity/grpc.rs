//! `identity.v1`: who somebody is, for our own services.

use syfthub_auth::dpop::Expected;
use syfthub_auth::{Action, Principal};
use syfthub_domain::{Error, ErrorCode, Result};
use syfthub_proto::common;
use syfthub_proto::identity::identity_service_server::IdentityService;
use syfthub_proto::identity::{
    AudienceFailure, FindUserRequest, FindUserResponse, MintSatelliteTokensRequest,
    MintSatelliteTokensResponse, SatelliteToken, VerifyBoundTokenRequest, VerifyBoundTokenResponse,
    VerifyCredentialRequest, VerifyCredentialResponse,
};
use syfthub_rpc::status::to_status;
use syfthub_rpc::{Caller, require};
use tonic::{Request, Response, Status};

use super::{Method, callers};
use crate::router::AppState;

/// Audiences of one call.
const MAX_AUDIENCES: usize = 50;
/// Addresses by which one thing can be reached.
const MAX_ADDRESSES: usize = 8;

/// Serves `identity.v1`.
#[derive(Debug, Clone)]
pub(crate) struct IdentityGrpc(pub(crate) AppState);

/// Answers with a rule's result.
pub(crate) fn answer<T>(result: Result<T>) -> std::result::Result<Response<T>, Status> {
    result.map(Response::new).map_err(|error| to_status(&error))
}

/// The user behind a credential that `service` was shown; `None` for an empty one, which stands for a guest.
pub(crate) async fn viewer(state: &AppState, service: Caller, credential: &str) -> Result<Option<Principal>> {
    if credential.is_empty() {
        state.hub_settings.admit_anonymous()?;
        return Ok(None);
    }
    let principal = state.access.authenticate_for(service, credential).await?;
    principal.require(Action::Read)?;
    Ok(Some(principal))
}

#[tonic::async_trait]
impl IdentityService for IdentityGrpc {
    async fn verify_credential(
        &self,
        request: Request<VerifyCredentialRequest>,
    ) -> std::result::Result<Response<VerifyCredentialResponse>, Status> {
        let caller = require(&request, callers(Method::VerifyCredential))?;
        let credential = request.into_inner().credential;
        let verified = self.0.access.authenticate_for(caller, &credential).await;
        answer(verified.map(|principal| VerifyCredentialResponse { principal: Some(to_wire(principal)) }))
    }

    async fn verify_bound_token(
        &self,
        request: Request<VerifyBoundTokenRequest>,
    ) -> std::result::Result<Response<VerifyBoundTokenResponse>, Status> {
        require(&request, callers(Method::VerifyBoundToken))?;
        answer(self.verify_bound(&request.into_inner()).await)
    }

    async fn find_user(
        &self,
        request: Request<FindUserRequest>,
    ) -> std::result::Result<Response<FindUserResponse>, Status> {
        require(&request, callers(Method::FindUser))?;
        let found = self.0.users.public(&request.into_inner().username).await;
        answer(found.map(|user| FindUserResponse {
            user_id: user.id.0,
            username: user.username.into_string(),
            full_name: user.full_name,
            role: common::Role::from(user.role).into(),
        }))
    }

    async fn mint_satellite_tokens(
        &self,
        request: Request<MintSatelliteTokensRequest>,
    ) -> std::result::Result<Response<MintSatelliteTokensResponse>, Status> {
        let caller = require(&request, callers(Method::MintSatelliteTokens))?;
        answer(self.mint(caller, request.into_inner()).await)
    }
}

impl IdentityGrpc {
    async fn verify_bound(&self, request: &VerifyBoundTokenRequest) -> Result<VerifyBoundTokenResponse> {
        if request.addresses.len() > MAX_ADDRESSES {
            let text = format!("a request has at most {MAX_ADDRESSES} addresses");
            return Err(Error::new(ErrorCode::BadRequest, text));
        }
        let expected = Expected {
            method: &request.method,
            addresses: &request.addresses,
            access_token: Some(&request.token),
        };
        let principal = self.0.access.authenticate_bound(&request.proof, expected, None).await?;
        let ticket = self.0.access.ticket(&principal)?;
        Ok(VerifyBoundTokenResponse { principal: Some(to_wire(principal)), ticket })
    }

    async fn mint(
        &self,
        caller: Caller,
        request: MintSatelliteTokensRequest,
    ) -> Result<MintSatelliteTokensResponse> {
        if request.audiences.len() > MAX_AUDIENCES {
            let text = format!("at most {MAX_AUDIENCES} audiences are served in one call");
            return Err(Error::new(ErrorCode::BadRequest, text));
        }
        let viewer = viewer(&self.0, caller, &request.credential).await?;
        let mint = |audience: String| {
            let (idp, viewer) = (&self.0.identity_provider, viewer.as_ref());
            async move {
                let minted = match viewer {
                    Some(principal) => idp.mint(principal, &audience).await,
                    None => idp.mint_guest(&audience).await,
                };
                (audience, minted)
            }
        };
        let minted = futures::future::join_all(request.audiences.into_iter().map(mint)).await;
        let mut response = MintSatelliteTokensResponse::default();
        for (audience, minted) in minted {
            match minted {
                Ok(minted) => response.tokens.push(SatelliteToken {
                    audience,
                    token: minted.token.expose().to_owned(),
                    expires_in_seconds: u32::try_from(minted.expires_in.as_secs()).unwrap_or(u32::MAX),
                }),
                Err(error) if error.code.http_status() < 500 => response.failures.push(AudienceFailure {
                    audience,
                    code: error.code.name().to_owned(),
                    message: error.message,
                }),
                Err(error) => return Err(error),
            }
        }
        Ok(response)
    }
}

/// As our own services are told.
pub(crate) fn to_wire(principal: Principal) -> common::Principal {
    common::Principal {
        user_id: principal.user_id.0,
        username: principal.username.into_string(),
        email: principal.email,
        role: common::Role::from(principal.role).into(),
        scopes: principal.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
        kind: common::CredentialKind::from(principal.kind).into(),
        full_name: principal.full_name,
    }
}
