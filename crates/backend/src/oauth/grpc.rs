//! `oauth.v1`: the state of the authorization server, for the MCP service; and its clients, for operators.

use std::time::Duration;

use serde_json::Value;
use syfthub_domain::{Result, Timestamp, UserId};
use syfthub_proto::oauth::o_auth_service_server::OAuthService;
use syfthub_proto::oauth::revoke_grant_request::What;
use syfthub_proto::oauth::{
    AddFirstSigningKeyRequest, ApproveRequest, ApproveResponse, BeginDeviceRequest, BeginDeviceResponse,
    BeginGrantRequest, Client, ClientKind, ConfirmEmailRequest, ConfirmEmailResponse, DecideDeviceRequest,
    DecideDeviceResponse, DeleteClientRequest, DeleteClientResponse, DeviceState, FindConsentRequest,
    FindConsentResponse, FindDeviceRequest, FindDeviceResponse, FindRefreshTokenRequest,
    FindRefreshTokenResponse, GetBrowserSessionRequest, GetBrowserSessionResponse, GetClientRequest,
    GetClientResponse, GetGrantRequest, GetGrantResponse, IssueResponse, ListClientsRequest,
    ListClientsResponse, ListSigningKeysRequest, ListSigningKeysResponse, PollDeviceRequest,
    PollDeviceResponse, RedeemCodeRequest, RegisterClientRequest, RegisterClientResponse, ResendCodeRequest,
    ResendCodeResponse, RevokeGrantRequest, RevokeGrantResponse, RotateRefreshTokenRequest,
    SignInOptionsRequest, SignInOptionsResponse, SignInRequest, SignInResponse, UpdateClientRequest,
    UpdateClientResponse,
};
use syfthub_rpc::{Caller, require};
use syfthub_store::oauth::clients::NewClient;
use syfthub_store::oauth::devices::{NewDevice, Poll};
use syfthub_store::oauth::{Issued, NewRefreshToken, codes, refresh_tokens};
use tonic::{Request, Response, Status};

use super::checks::{self, LONGEST, LONGEST_URL, bad, hash, optional, optional_hash, text};
use super::consent::Code;
use super::exchange::Which;
use super::{SERVER, people, wire};
use crate::audit::Origin;
use crate::identity::grpc::answer;
use crate::identity::{Method, callers};
use crate::router::AppState;

/// Longest metadata of a client, as JSON.
const LONGEST_METADATA: usize = 16 * 1024;
/// Clients of one page.
const MOST_CLIENTS: u32 = 200;
/// Longest life of a code, in seconds (RFC 6749 names ten minutes).
const LONGEST_CODE: u32 = 600;
/// Longest life of a refresh token, in seconds.
const LONGEST_REFRESH: u32 = 366 * 24 * 3600;
/// Longest life of a device's request, in seconds.
const LONGEST_DEVICE: u32 = 3600;
/// Longest session cookie that is looked at.
const LONGEST_SESSION: usize = 256;

type Answer<T> = std::result::Result<Response<T>, Status>;

/// Serves `oauth.v1`.
#[derive(Debug, Clone)]
pub(crate) struct OAuthGrpc(pub(crate) AppState);

/// A refresh token to be issued, checked.
struct Refresh {
    hash: Option<String>,
    expires_at: Timestamp,
}

impl Refresh {
    fn read(bytes: &[u8], seconds: u32, now: Timestamp) -> Result<Self> {
        let hash = optional_hash(bytes, "refresh_token_hash")?;
        let life = Duration::from_secs(u64::from(seconds.clamp(1, LONGEST_REFRESH)));
        Ok(Self { hash, expires_at: now.plus(life) })
    }

    fn token(&self) -> Option<NewRefreshToken<'_>> {
        self.hash.as_deref().map(|hash| NewRefreshToken { hash, expires_at: self.expires_at })
    }
}

fn metadata(json: &str) -> Result<Value> {
    let short = if json.len() <= LONGEST_METADATA { json } else { "" };
    let value: Value = serde_json::from_str(short).map_err(|_| bad("metadata_json"))?;
    if value.is_object() { Ok(value) } else { Err(bad("metadata_json")) }
}

/// In whose name the clients of the server are changed.
fn origin(caller: Caller) -> Origin {
    Origin::system(if caller == Caller::Cli { "cli" } else { SERVER })
}

impl OAuthGrpc {
    fn now(&self) -> Timestamp {
        self.0.oauth.clock.now()
    }

    async fn register(&self, caller: Caller, request: RegisterClientRequest) -> Result<Client> {
        let client = request.client.ok_or_else(|| bad("client"))?;
        let kind = client.kind();
        if kind == ClientKind::Unspecified {
            return Err(bad("kind"));
        }
        let new = NewClient {
            metadata: metadata(&client.metadata_json)?,
            secret_hash: optional_hash(&client.secret_hash, "secret_hash")?,
            registration_token_hash: optional_hash(
                &client.registration_token_hash,
                "registration_token_hash",
            )?,
            client_id: text(client.client_id, "client_id", LONGEST)?,
            is_static: kind == ClientKind::Static,
            user_id: None,
        };
        wire::client(self.0.oauth.register_client(&origin(caller), &new).await?)
    }

    async fn update(&self, request: UpdateClientRequest) -> Result<Client> {
        let metadata = metadata(&request.metadata_json)?;
        let secret = optional_hash(&request.secret_hash, "secret_hash")?;
        let (origin, id) = (Origin::system(SERVER), &request.client_id);
        wire::client(self.0.oauth.update_client(&origin, id, &metadata, secret.as_deref()).await?)
    }

    async fn clients(&self, request: ListClientsRequest) -> Result<ListClientsResponse> {
        let after = Some(request.after.as_str()).filter(|after| !after.is_empty());
        let rows = self.0.oauth.clients(None, after, request.limit.clamp(1, MOST_CLIENTS)).await?;
        Ok(ListClientsResponse { clients: rows.into_iter().map(wire::client).collect::<Result<_>>()? })
    }

    async fn agree(&self, request: ApproveRequest) -> Result<ApproveResponse> {
        let r = request;
        let session = text(r.session, "session", LONGEST_SESSION)?;
        let asked = checks::asked(r.client_id, &r.client_name, r.resource, r.scopes, r.dpop_jkt)?;
        let code = Code {
            hash: hash(&r.code_hash, "code_hash")?,
            request_id: text(r.request_id, "request_id", LONGEST)?,
            redirect_uri: text(r.redirect_uri, "redirect_uri", LONGEST_URL)?,
            challenge: text(r.code_challenge, "code_challenge", LONGEST)?,
            nonce: optional(r.nonce, "nonce", LONGEST_URL)?,
            life: Duration::from_secs(u64::from(r.code_ttl_seconds.clamp(1, LONGEST_CODE))),
        };
        let agreed = Box::pin(self.0.oauth.approve(&session, &asked, code, r.remember));
        Ok(ApproveResponse { grant_id: people::from(&r.address, agreed).await? })
    }

    async fn redeem(&self, request: RedeemCodeRequest) -> Result<IssueResponse> {
        let now = self.now();
        let code_hash = hash(&request.code_hash, "code_hash")?;
        let refresh = Refresh::read(&request.refresh_token_hash, request.refresh_ttl_seconds, now)?;
        let resource = optional(request.resource, "resource", LONGEST_URL)?;
        let dpop_jkt = optional(request.dpop_jkt, "dpop_jkt", LONGEST)?;
        let presented = codes::Presented {
            code_hash: &code_hash,
            client_id: &request.client_id,
            redirect_uri: &request.redirect_uri,
            code_challenge: &request.code_challenge,
            resource: resource.as_deref(),
            dpop_jkt: dpop_jkt.as_deref(),
            any_key_later: request.any_key_later,
            refresh: refresh.token(),
        };
        let exchange = self.0.oauth.redeem(&presented, now).await?;
        Ok(wire::issue(self.0.access.grants(), exchange))
    }

    async fn rotate(&self, request: RotateRefreshTokenRequest) -> Result<IssueResponse> {
        let now = self.now();
        let token_hash = hash(&request.token_hash, "token_hash")?;
        let next = Refresh::read(&request.next_hash, request.refresh_ttl_seconds, now)?;
        let resource = optional(request.resource, "resource", LONGEST_URL)?;
        let dpop_jkt = optional(request.dpop_jkt, "dpop_jkt", LONGEST)?;
        let scopes = checks::some_scopes(request.scopes)?;
        let presented = refresh_tokens::Presented {
            token_hash: &token_hash,
            next: next.token().ok_or_else(|| bad("next_hash"))?,
            client_id: &request.client_id,
            resource: resource.as_deref(),
            scopes: &scopes,
            dpop_jkt: dpop_jkt.as_deref(),
        };
        let exchange = self.0.oauth.rotate(&presented, now).await?;
        Ok(wire::issue(self.0.access.grants(), exchange))
    }

    async fn begin(&self, request: BeginGrantRequest) -> Result<IssueResponse> {
        let r = request;
        let asked = checks::asked(r.client_id, &r.client_name, r.resource, r.scopes, r.dpop_jkt)?;
        let credential = Some(r.credential.as_str()).filter(|text| !text.is_empty());
        let exchange = self.0.oauth.begin(&asked, credential).await?;
        Ok(wire::issue(self.0.access.grants(), exchange))
    }

    async fn refresh_token(&self, request: FindRefreshTokenRequest) -> Result<FindRefreshTokenResponse> {
        let hash = hash(&request.token_hash, "token_hash")?;
        let (token, grant, user) = self.0.oauth.refresh_token(&hash, &request.client_id).await?;
        Ok(FindRefreshTokenResponse {
            grant: Some(wire::grant(self.0.access.grants(), grant, user)),
            created_at: token.created_at.as_secs(),
            expires_at: token.expires_at.as_secs(),
        })
    }

    async fn revoke(&self, request: RevokeGrantRequest) -> Result<RevokeGrantResponse> {
        let which = match request.what.ok_or_else(|| bad("what"))? {
            What::GrantId(id) => Which::Id(id),
            What::RefreshTokenHash(bytes) => Which::RefreshToken(hash(&bytes, "refresh_token_hash")?),
        };
        let client = optional(request.client_id, "client_id", LONGEST_URL)?;
        self.0.oauth.revoke(&which, client.as_deref()).await?;
        Ok(RevokeGrantResponse {})
    }

    async fn device(&self, request: BeginDeviceRequest) -> Result<BeginDeviceResponse> {
        let r = request;
        let asked = checks::asked(r.client_id, &r.client_name, r.resource, r.scopes, r.dpop_jkt)?;
        let life = Duration::from_secs(u64::from(r.ttl_seconds.clamp(1, LONGEST_DEVICE)));
        let new = NewDevice {
            device_code_hash: hash(&r.device_code_hash, "device_code_hash")?,
            user_code: text(r.user_code, "user_code", 32)?,
            client_id: asked.client_id.clone(),
            client_name: asked.client_name.clone(),
            resource: asked.resource.clone(),
            scopes: asked.scopes.clone(),
            dpop_jkt: asked.dpop_jkt.clone(),
            interval_seconds: r.interval_seconds.clamp(1, 60),
            expires_at: self.now().plus(life),
        };
        self.0.oauth.begin_device(&asked, &new).await?;
        Ok(BeginDeviceResponse {})
    }

    async fn poll(&self, request: PollDeviceRequest) -> Result<PollDeviceResponse> {
        let hash = hash(&request.device_code_hash, "device_code_hash")?;
        let refresh = Refresh::read(&request.refresh_token_hash, request.refresh_ttl_seconds, self.now())?;
        let dpop_jkt = optional(request.dpop_jkt, "dpop_jkt", LONGEST)?;
        let token = refresh.token();
        let poll =
            self.0.oauth.poll_device(&hash, &request.client_id, dpop_jkt.as_deref(), token.as_ref()).await?;
        let (state, grant) = match poll {
            Poll::Pending => (DeviceState::Pending, None),
            Poll::SlowDown => (DeviceState::SlowDown, None),
            Poll::Denied => (DeviceState::Denied, None),
            Poll::Expired => (DeviceState::Expired, None),
            Poll::Unknown => (DeviceState::Unknown, None),
            Poll::Approved(issued) => {
                let Issued { grant, user, .. } = *issued;
                (DeviceState::Approved, Some(wire::grant(self.0.access.grants(), grant, user)))
            }
        };
        Ok(PollDeviceResponse { state: state.into(), grant })
    }
}

/// A method: who may call it, and what answers.
macro_rules! methods {
    ($($name:ident($request:ty) -> $response:ty, $who:ident, |$self:ident, $caller:pat_param, $r:ident| $body:expr;)+) => {
        #[tonic::async_trait]
        impl OAuthService for OAuthGrpc {
            $(async fn $name(&self, request: Request<$request>) -> Answer<$response> {
                let $caller = require(&request, callers(Method::$who))?;
                let ($self, $r) = (self, request.into_inner());
                answer($body)
            })+
        }
    };
}

methods! {
    register_client(RegisterClientRequest) -> RegisterClientResponse, OAuthClients, |this, caller, r|
        this.register(caller, r).await.map(|client| RegisterClientResponse { client: Some(client) });
    get_client(GetClientRequest) -> GetClientResponse, OAuth, |this, _, r|
        this.0.oauth.client(&r.client_id).await.and_then(wire::client)
            .map(|client| GetClientResponse { client: Some(client) });
    update_client(UpdateClientRequest) -> UpdateClientResponse, OAuth, |this, _, r|
        this.update(r).await.map(|client| UpdateClientResponse { client: Some(client) });
    delete_client(DeleteClientRequest) -> DeleteClientResponse, OAuthClients, |this, caller, r|
        this.0.oauth.delete_client(&origin(caller), &r.client_id).await.map(|()| DeleteClientResponse {});
    list_clients(ListClientsRequest) -> ListClientsResponse, OAuthClients, |this, _, r| this.clients(r).await;

    get_browser_session(GetBrowserSessionRequest) -> GetBrowserSessionResponse, OAuth, |this, _, r|
        people::browser_session(&this.0, &r.session).await;
    sign_in(SignInRequest) -> SignInResponse, OAuth, |this, _, r| people::sign_in(&this.0, r).await;
    confirm_email(ConfirmEmailRequest) -> ConfirmEmailResponse, OAuth, |this, _, r|
        people::confirm(&this.0, r).await;
    resend_code(ResendCodeRequest) -> ResendCodeResponse, OAuth, |this, _, r|
        people::resend(&this.0, r).await.map(|()| ResendCodeResponse {});
    sign_in_options(SignInOptionsRequest) -> SignInOptionsResponse, OAuth, |this, _, _r|
        Ok(people::options(&this.0));

    find_consent(FindConsentRequest) -> FindConsentResponse, OAuth, |this, _, r|
        this.0.oauth.find_consent(UserId(r.user_id), &r.client_id, &r.resource).await
            .map(|scopes| FindConsentResponse { scopes });
    approve(ApproveRequest) -> ApproveResponse, OAuth, |this, _, r| this.agree(r).await;
    redeem_code(RedeemCodeRequest) -> IssueResponse, OAuth, |this, _, r| this.redeem(r).await;
    rotate_refresh_token(RotateRefreshTokenRequest) -> IssueResponse, OAuth, |this, _, r| this.rotate(r).await;
    begin_grant(BeginGrantRequest) -> IssueResponse, OAuth, |this, _, r| this.begin(r).await;
    get_grant(GetGrantRequest) -> GetGrantResponse, OAuth, |this, _, r|
        this.0.oauth.grant(&r.grant_id).await.map(|(grant, user)| GetGrantResponse {
            grant: Some(wire::grant(this.0.access.grants(), grant, user)),
        });
    find_refresh_token(FindRefreshTokenRequest) -> FindRefreshTokenResponse, OAuth, |this, _, r|
        this.refresh_token(r).await;
    revoke_grant(RevokeGrantRequest) -> RevokeGrantResponse, OAuth, |this, _, r| this.revoke(r).await;

    begin_device(BeginDeviceRequest) -> BeginDeviceResponse, OAuth, |this, _, r| this.device(r).await;
    find_device(FindDeviceRequest) -> FindDeviceResponse, OAuth, |this, _, r|
        this.0.oauth.find_device(&r.user_code).await.map(|device| FindDeviceResponse {
            client_id: device.client_id,
            client_name: device.client_name,
            resource: device.resource,
            scopes: device.scopes,
        });
    decide_device(DecideDeviceRequest) -> DecideDeviceResponse, OAuth, |this, _, r|
        people::from(&r.address, Box::pin(this.0.oauth.decide_device(&r.session, &r.user_code, r.approve))).await
            .map(|()| DecideDeviceResponse {});
    poll_device(PollDeviceRequest) -> PollDeviceResponse, OAuth, |this, _, r| this.poll(r).await;

    list_signing_keys(ListSigningKeysRequest) -> ListSigningKeysResponse, OAuth, |this, _, _r|
        this.0.oauth.keys().await.map(keys);
    add_first_signing_key(AddFirstSigningKeyRequest) -> ListSigningKeysResponse, OAuth, |this, _, r| {
        let key = r.key.ok_or_else(|| bad("key")).map(|key| wire::key_row(key, this.now()));
        match key {
            Ok(key) => this.0.oauth.add_first_key(key).await.map(keys),
            Err(error) => Err(error),
        }
    };
}

fn keys(rows: Vec<syfthub_store::keys::SigningKeyRow>) -> ListSigningKeysResponse {
    ListSigningKeysResponse { keys: rows.into_iter().map(wire::key).collect() }
}
