//! A fake of `oauth.v1` that keeps everything in memory, with one user whose password is [`PASSWORD`].

mod devices;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use syfthub_auth::MasterKey;
use syfthub_auth::grant_ticket::{self, TicketKey};
use syfthub_config::Settings;
use syfthub_domain::{Error, ErrorCode, Timestamp};
use syfthub_proto::common::Principal;
use syfthub_proto::oauth::o_auth_service_server::OAuthService;
use syfthub_proto::oauth::revoke_grant_request::What;
use syfthub_proto::oauth::*;
use syfthub_rpc::status::to_status;
use tonic::{Request, Response, Status};

use crate::hub::{Fake, READER};

pub(crate) const PASSWORD: &str = "correct-horse-1";
/// The value of the session cookie after a sign-in.
pub(crate) const SESSION: &str = "syft_ses_good";
/// The mail address of somebody who has not confirmed it, and the code that does.
pub(crate) const UNCONFIRMED: &str = "eve@example.org";
pub(crate) const CODE: &str = "123456";

#[derive(Default)]
pub(crate) struct State(Mutex<Kept>);

#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) clients: HashMap<String, Client>,
    pub(crate) keys: Vec<SigningKey>,
    answered: Vec<String>,
    consents: HashMap<(String, String), Vec<String>>,
    codes: HashMap<Vec<u8>, (ApproveRequest, Grant, bool)>,
    grants: HashMap<String, Grant>,
    /// Grant, and what followed it.
    refresh: HashMap<Vec<u8>, (String, Option<Vec<u8>>)>,
    /// What devices ask for, by the code that a person enters.
    pub(crate) devices: HashMap<String, (BeginDeviceRequest, DeviceState, Option<Grant>)>,
}

impl State {
    pub(crate) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap()
    }

    /// Whether a credential is the ticket of a grant that is live.
    pub(crate) fn stands_for_a_grant(&self, credential: &str) -> bool {
        let secret = Settings::for_tests(std::path::Path::new("unused")).secrets.secret_key;
        let key = TicketKey::new(&MasterKey::new(&secret));
        let ticket = grant_ticket::verify(&key, credential, Timestamp::from_secs(1_700_000_000));
        ticket.is_ok_and(|ticket| self.kept().grants.contains_key(&ticket.grant.to_string()))
    }
}

fn refused(code: ErrorCode, text: &str) -> Status {
    to_status(&Error::new(code, text))
}

fn person() -> Principal {
    Principal {
        user_id: 7,
        username: "ada".to_owned(),
        full_name: "Ada <Lovelace>".to_owned(),
        email: "ada@example.org".to_owned(),
        ..Principal::default()
    }
}

fn cookie() -> String {
    format!("syfthub_session={SESSION}; Path=/; HttpOnly; SameSite=Lax")
}

fn issue(outcome: Outcome) -> Response<IssueResponse> {
    Response::new(IssueResponse { outcome: outcome.into(), ..IssueResponse::default() })
}

#[tonic::async_trait]
impl OAuthService for Fake {
    async fn register_client(
        &self,
        request: Request<RegisterClientRequest>,
    ) -> Result<Response<RegisterClientResponse>, Status> {
        let client = request.into_inner().client.unwrap();
        let client = Client { created_at: 1_700_000_000, ..client };
        self.0.oauth.kept().clients.insert(client.client_id.clone(), client.clone());
        Ok(Response::new(RegisterClientResponse { client: Some(client) }))
    }

    async fn get_client(
        &self,
        request: Request<GetClientRequest>,
    ) -> Result<Response<GetClientResponse>, Status> {
        let client = self.0.oauth.kept().clients.get(&request.into_inner().client_id).cloned();
        let client = client.ok_or_else(|| refused(ErrorCode::NotFound, "no such client"))?;
        Ok(Response::new(GetClientResponse { client: Some(client) }))
    }

    async fn update_client(
        &self,
        request: Request<UpdateClientRequest>,
    ) -> Result<Response<UpdateClientResponse>, Status> {
        let request = request.into_inner();
        let mut kept = self.0.oauth.kept();
        let client = kept.clients.get_mut(&request.client_id).unwrap();
        client.metadata_json = request.metadata_json;
        Ok(Response::new(UpdateClientResponse { client: Some(client.clone()) }))
    }

    async fn delete_client(
        &self,
        request: Request<DeleteClientRequest>,
    ) -> Result<Response<DeleteClientResponse>, Status> {
        self.0.oauth.kept().clients.remove(&request.into_inner().client_id);
        Ok(Response::new(DeleteClientResponse {}))
    }

    async fn get_browser_session(
        &self,
        request: Request<GetBrowserSessionRequest>,
    ) -> Result<Response<GetBrowserSessionResponse>, Status> {
        if request.into_inner().session != SESSION {
            return Err(refused(ErrorCode::Unauthenticated, "no session"));
        }
        Ok(Response::new(GetBrowserSessionResponse {
            principal: Some(person()),
            email_verified: true,
            signed_in_at: 1_699_999_000,
        }))
    }

    async fn sign_in(&self, request: Request<SignInRequest>) -> Result<Response<SignInResponse>, Status> {
        let request = request.into_inner();
        match (request.identifier.as_str(), request.password.as_str()) {
            ("ada", PASSWORD) => {
                Ok(Response::new(SignInResponse { set_cookie: cookie(), session: SESSION.to_owned() }))
            }
            (UNCONFIRMED, PASSWORD) => Err(refused(ErrorCode::EmailNotVerified, "confirm first")),
            _ => Err(refused(ErrorCode::Unauthenticated, "Wrong name or password")),
        }
    }

    async fn confirm_email(
        &self,
        request: Request<ConfirmEmailRequest>,
    ) -> Result<Response<ConfirmEmailResponse>, Status> {
        let request = request.into_inner();
        if (request.email.as_str(), request.code.as_str()) != (UNCONFIRMED, CODE) {
            return Err(refused(ErrorCode::InvalidOtp, "This code is wrong"));
        }
        Ok(Response::new(ConfirmEmailResponse { set_cookie: cookie(), session: SESSION.to_owned() }))
    }

    async fn resend_code(
        &self,
        _: Request<ResendCodeRequest>,
    ) -> Result<Response<ResendCodeResponse>, Status> {
        Ok(Response::new(ResendCodeResponse {}))
    }

    async fn sign_in_options(
        &self,
        _: Request<SignInOptionsRequest>,
    ) -> Result<Response<SignInOptionsResponse>, Status> {
        Ok(Response::new(SignInOptionsResponse {
            github: true,
            registration_open: true,
            instance_name: "Hub & Co".to_owned(),
            ..SignInOptionsResponse::default()
        }))
    }

    async fn find_consent(
        &self,
        request: Request<FindConsentRequest>,
    ) -> Result<Response<FindConsentResponse>, Status> {
        let request = request.into_inner();
        let scopes = self.0.oauth.kept().consents.get(&(request.client_id, request.resource)).cloned();
        Ok(Response::new(FindConsentResponse { scopes: scopes.unwrap_or_default() }))
    }

    async fn approve(&self, request: Request<ApproveRequest>) -> Result<Response<ApproveResponse>, Status> {
        let request = request.into_inner();
        let mut kept = self.0.oauth.kept();
        if request.session != SESSION {
            return Err(refused(ErrorCode::Unauthenticated, "no session"));
        }
        if kept.answered.contains(&request.request_id) {
            return Err(refused(ErrorCode::Conflict, "answered"));
        }
        kept.answered.push(request.request_id.clone());
        if request.remember {
            let key = (request.client_id.clone(), request.resource.clone());
            kept.consents.insert(key, request.scopes.clone());
        }
        let grant = Grant {
            id: uuid::Uuid::new_v4().to_string(),
            client_id: request.client_id.clone(),
            client_name: request.client_name.clone(),
            resource: request.resource.clone(),
            scopes: request.scopes.clone(),
            principal: Some(person()),
            email_verified: true,
            auth_time: 1_699_999_000,
            dpop_jkt: request.dpop_jkt.clone(),
            ..Grant::default()
        };
        let grant_id = grant.id.clone();
        kept.codes.insert(request.code_hash.clone(), (request, grant, false));
        Ok(Response::new(ApproveResponse { grant_id }))
    }

    async fn redeem_code(
        &self,
        request: Request<RedeemCodeRequest>,
    ) -> Result<Response<IssueResponse>, Status> {
        let request = request.into_inner();
        let mut kept = self.0.oauth.kept();
        let Some((asked, grant, used)) = kept.codes.get(&request.code_hash).cloned() else {
            return Ok(issue(Outcome::Unknown));
        };
        let resource = request.resource.is_empty() || request.resource == asked.resource;
        let same = request.client_id == asked.client_id && request.redirect_uri == asked.redirect_uri;
        let key = asked.dpop_jkt.is_empty() || request.dpop_jkt == asked.dpop_jkt;
        if !same || !resource || !key || request.code_challenge != asked.code_challenge {
            return Ok(issue(Outcome::Mismatch));
        }
        let dpop_jkt = if request.any_key_later { String::new() } else { request.dpop_jkt };
        let grant = Grant { dpop_jkt, ..grant };
        if used {
            kept.grants.remove(&grant.id);
            return Ok(issue(Outcome::Reused));
        }
        kept.codes.insert(request.code_hash, (asked.clone(), grant.clone(), true));
        kept.grants.insert(grant.id.clone(), grant.clone());
        if !request.refresh_token_hash.is_empty() {
            kept.refresh.insert(request.refresh_token_hash, (grant.id.clone(), None));
        }
        let (scopes, nonce) = (grant.scopes.clone(), asked.nonce);
        let outcome = Outcome::Issued.into();
        Ok(Response::new(IssueResponse { outcome, grant: Some(grant), scopes, nonce }))
    }

    async fn rotate_refresh_token(
        &self,
        request: Request<RotateRefreshTokenRequest>,
    ) -> Result<Response<IssueResponse>, Status> {
        let request = request.into_inner();
        let mut kept = self.0.oauth.kept();
        let Some((id, next)) = kept.refresh.get(&request.token_hash).cloned() else {
            return Ok(issue(Outcome::Unknown));
        };
        let Some(grant) = kept.grants.get(&id).cloned() else { return Ok(issue(Outcome::Revoked)) };
        let key = grant.dpop_jkt.is_empty() || grant.dpop_jkt == request.dpop_jkt;
        if grant.client_id != request.client_id || !key {
            return Ok(issue(Outcome::Mismatch));
        }
        if !request.scopes.iter().all(|scope| grant.scopes.contains(scope)) {
            return Ok(issue(Outcome::ScopeExceeded));
        }
        match next {
            // Here every token is a little older than the window of grace once its successor was used.
            Some(next) if kept.refresh.get(&next).is_some_and(|(_, used)| used.is_some()) => {
                kept.grants.remove(&id);
                return Ok(issue(Outcome::Reused));
            }
            Some(next) => assert_eq!(next, request.next_hash, "the successor is always the same"),
            None => {
                kept.refresh.insert(request.token_hash, (id.clone(), Some(request.next_hash.clone())));
                kept.refresh.insert(request.next_hash, (id, None));
            }
        }
        let scopes = if request.scopes.is_empty() { grant.scopes.clone() } else { request.scopes };
        let (outcome, nonce) = (Outcome::Issued.into(), String::new());
        Ok(Response::new(IssueResponse { outcome, grant: Some(grant), scopes, nonce }))
    }

    async fn get_grant(
        &self,
        request: Request<GetGrantRequest>,
    ) -> Result<Response<GetGrantResponse>, Status> {
        let grant = self.0.oauth.kept().grants.get(&request.into_inner().grant_id).cloned();
        let grant = grant.ok_or_else(|| refused(ErrorCode::NotFound, "no such grant"))?;
        Ok(Response::new(GetGrantResponse { grant: Some(grant) }))
    }

    async fn revoke_grant(
        &self,
        request: Request<RevokeGrantRequest>,
    ) -> Result<Response<RevokeGrantResponse>, Status> {
        let mut kept = self.0.oauth.kept();
        let id = match request.into_inner().what {
            Some(What::GrantId(id)) => Some(id),
            Some(What::RefreshTokenHash(hash)) => kept.refresh.get(&hash).map(|(id, _)| id.clone()),
            None => None,
        };
        if let Some(id) = id {
            kept.grants.remove(&id);
        }
        Ok(Response::new(RevokeGrantResponse {}))
    }

    async fn list_signing_keys(
        &self,
        _: Request<ListSigningKeysRequest>,
    ) -> Result<Response<ListSigningKeysResponse>, Status> {
        Ok(Response::new(ListSigningKeysResponse { keys: self.0.oauth.kept().keys.clone() }))
    }

    async fn add_first_signing_key(
        &self,
        request: Request<AddFirstSigningKeyRequest>,
    ) -> Result<Response<ListSigningKeysResponse>, Status> {
        let mut kept = self.0.oauth.kept();
        if kept.keys.is_empty() {
            kept.keys.extend(request.into_inner().key);
        }
        Ok(Response::new(ListSigningKeysResponse { keys: kept.keys.clone() }))
    }

    async fn list_clients(
        &self,
        _: Request<ListClientsRequest>,
    ) -> Result<Response<ListClientsResponse>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn begin_grant(
        &self,
        request: Request<BeginGrantRequest>,
    ) -> Result<Response<IssueResponse>, Status> {
        let request = request.into_inner();
        let is_own = request.credential.is_empty();
        if !is_own {
            self.check(&request.credential)?;
            if request.credential == READER && request.scopes != ["read"] {
                return Ok(issue(Outcome::ScopeExceeded));
            }
        }
        let grant = Grant {
            id: uuid::Uuid::new_v4().to_string(),
            client_id: request.client_id,
            client_name: request.client_name,
            resource: request.resource,
            scopes: request.scopes.clone(),
            principal: Some(person()),
            expires_at: if is_own { 1_700_003_900 } else { 1_700_000_600 },
            ..Grant::default()
        };
        self.0.oauth.kept().grants.insert(grant.id.clone(), grant.clone());
        let (outcome, scopes, nonce) = (Outcome::Issued.into(), request.scopes, String::new());
        Ok(Response::new(IssueResponse { outcome, grant: Some(grant), scopes, nonce }))
    }

    async fn begin_device(
        &self,
        request: Request<BeginDeviceRequest>,
    ) -> Result<Response<BeginDeviceResponse>, Status> {
        Ok(devices::begin(&self.0.oauth, request.into_inner()))
    }

    async fn find_device(
        &self,
        request: Request<FindDeviceRequest>,
    ) -> Result<Response<FindDeviceResponse>, Status> {
        devices::find(&self.0.oauth, request.get_ref())
    }

    async fn decide_device(
        &self,
        request: Request<DecideDeviceRequest>,
    ) -> Result<Response<DecideDeviceResponse>, Status> {
        devices::decide(&self.0.oauth, request.get_ref())
    }

    async fn poll_device(
        &self,
        request: Request<PollDeviceRequest>,
    ) -> Result<Response<PollDeviceResponse>, Status> {
        Ok(devices::poll(&self.0.oauth, request.into_inner()))
    }

    async fn find_refresh_token(
        &self,
        request: Request<FindRefreshTokenRequest>,
    ) -> Result<Response<FindRefreshTokenResponse>, Status> {
        let request = request.into_inner();
        let kept = self.0.oauth.kept();
        let open = kept.refresh.get(&request.token_hash).filter(|(_, next)| next.is_none());
        let grant = open.and_then(|(id, _)| kept.grants.get(id)).cloned();
        let grant = grant.filter(|grant| grant.client_id == request.client_id);
        let grant = grant.ok_or_else(|| refused(ErrorCode::NotFound, "no such token"))?;
        let (created_at, expires_at) = (1_700_000_000, 1_702_592_000);
        Ok(Response::new(FindRefreshTokenResponse { grant: Some(grant), created_at, expires_at }))
    }
}
