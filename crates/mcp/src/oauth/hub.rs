//! The state of the authorization server, which backend keeps.

use std::time::Duration;

use syfthub_domain::{Error, ErrorCode, Result};
use syfthub_proto::identity::{AudienceFailure, MintSatelliteTokensRequest, SatelliteToken};
use syfthub_proto::oauth as wire;
use syfthub_proto::oauth::o_auth_service_client::OAuthServiceClient;
use syfthub_rpc::{Peer, status, stubs, with_deadline};
use tonic::{Request, Response, Status};

/// Longest that a call may take; a sign-in may have to wait for other passwords being checked.
const DEADLINE: Duration = Duration::from_secs(15);

/// Calls `oauth.v1`.
#[derive(Debug, Clone)]
pub(crate) struct Hub(Peer);

macro_rules! call {
    ($(#[doc = $doc:literal] $name:ident($request:ident) -> $answer:ident;)*) => {
        $(
            #[doc = $doc]
            pub(crate) async fn $name(&self, request: wire::$request) -> Result<wire::$answer> {
                let mut client = stubs::oauth_client(self.0.clone());
                done(client.$name(with_deadline(Request::new(request), DEADLINE)).await)
            }
        )*
    };
}

impl Hub {
    pub(crate) fn new(peer: Peer) -> Self {
        Self(peer)
    }

    call! {
        /// Stores a client.
        register_client(RegisterClientRequest) -> RegisterClientResponse;
        /// Replaces the metadata of a client.
        update_client(UpdateClientRequest) -> UpdateClientResponse;
        /// Takes a client away.
        delete_client(DeleteClientRequest) -> DeleteClientResponse;
        /// Signs in with a password.
        sign_in(SignInRequest) -> SignInResponse;
        /// Confirms a mail address and signs in.
        confirm_email(ConfirmEmailRequest) -> ConfirmEmailResponse;
        /// Sends the code again.
        resend_code(ResendCodeRequest) -> ResendCodeResponse;
        /// How one can sign in.
        sign_in_options(SignInOptionsRequest) -> SignInOptionsResponse;
        /// What somebody agreed to before.
        find_consent(FindConsentRequest) -> FindConsentResponse;
        /// Somebody agrees.
        approve(ApproveRequest) -> ApproveResponse;
        /// Exchanges a code.
        redeem_code(RedeemCodeRequest) -> IssueResponse;
        /// Exchanges a refresh token.
        rotate_refresh_token(RotateRefreshTokenRequest) -> IssueResponse;
        /// Begins a grant without a code.
        begin_grant(BeginGrantRequest) -> IssueResponse;
        /// Ends a grant.
        revoke_grant(RevokeGrantRequest) -> RevokeGrantResponse;
        /// Stores what a device asks for.
        begin_device(BeginDeviceRequest) -> BeginDeviceResponse;
        /// A person answers a device.
        decide_device(DecideDeviceRequest) -> DecideDeviceResponse;
        /// What became of it.
        poll_device(PollDeviceRequest) -> PollDeviceResponse;
        /// The keys.
        list_signing_keys(ListSigningKeysRequest) -> ListSigningKeysResponse;
        /// Stores the first key.
        add_first_signing_key(AddFirstSigningKeyRequest) -> ListSigningKeysResponse;
    }

    /// A stored client, if there is one.
    pub(crate) async fn client(&self, id: &str) -> Result<Option<wire::Client>> {
        let request = wire::GetClientRequest { client_id: id.to_owned() };
        let mut client = stubs::oauth_client(self.0.clone());
        let found = done(client.get_client(with_deadline(Request::new(request), DEADLINE)).await);
        Ok(found_or_none(found)?.and_then(|found| found.client))
    }

    /// A live grant, if there is one.
    pub(crate) async fn grant(&self, id: &str) -> Result<Option<wire::Grant>> {
        let request = wire::GetGrantRequest { grant_id: id.to_owned() };
        let mut client = stubs::oauth_client(self.0.clone());
        let found = done(client.get_grant(with_deadline(Request::new(request), DEADLINE)).await);
        Ok(found_or_none(found)?.and_then(|found| found.grant))
    }

    /// A refresh token of this client that could be exchanged now, if it is one.
    pub(crate) async fn refresh_token(
        &self,
        token_hash: Vec<u8>,
        client_id: &str,
    ) -> Result<Option<wire::FindRefreshTokenResponse>> {
        let request = wire::FindRefreshTokenRequest { token_hash, client_id: client_id.to_owned() };
        let mut client = stubs::oauth_client(self.0.clone());
        found_or_none(done(client.find_refresh_token(with_deadline(Request::new(request), DEADLINE)).await))
    }

    /// The device that waits under a code, if there is one.
    pub(crate) async fn device(&self, user_code: &str) -> Result<Option<wire::FindDeviceResponse>> {
        let request = wire::FindDeviceRequest { user_code: user_code.to_owned() };
        let mut client = stubs::oauth_client(self.0.clone());
        found_or_none(done(client.find_device(with_deadline(Request::new(request), DEADLINE)).await))
    }

    /// A token that proves the holder of a credential to the services of one user, or why there is none.
    pub(crate) async fn satellite_token(
        &self,
        credential: &str,
        audience: &str,
    ) -> Result<std::result::Result<SatelliteToken, AudienceFailure>> {
        let request = MintSatelliteTokensRequest {
            credential: credential.to_owned(),
            audiences: vec![audience.to_owned()],
        };
        let mut client = stubs::identity_client(self.0.clone());
        let answer =
            done(client.mint_satellite_tokens(with_deadline(Request::new(request), DEADLINE)).await)?;
        match (answer.tokens.into_iter().next(), answer.failures.into_iter().next()) {
            (Some(token), _) => Ok(Ok(token)),
            (None, Some(failure)) => Ok(Err(failure)),
            (None, None) => Err(Error::internal("the hub minted no token")),
        }
    }

    /// Who is signed in with a browser's session, if somebody is.
    pub(crate) async fn browser_session(
        &self,
        session: &str,
    ) -> Result<Option<wire::GetBrowserSessionResponse>> {
        let request = wire::GetBrowserSessionRequest { session: session.to_owned() };
        let mut client: OAuthServiceClient<Peer> = stubs::oauth_client(self.0.clone());
        match done(client.get_browser_session(with_deadline(Request::new(request), DEADLINE)).await) {
            Ok(found) => Ok(Some(found).filter(|found| found.principal.is_some())),
            Err(error) if error.code == ErrorCode::Unauthenticated => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn done<T>(answer: Result<Response<T>, Status>) -> Result<T> {
    answer.map(Response::into_inner).map_err(|refused| status::from_status(&refused))
}

fn found_or_none<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Error { code: ErrorCode::NotFound, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
