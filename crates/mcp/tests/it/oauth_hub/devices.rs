//! The devices of the fake hub.

use syfthub_domain::ErrorCode;
use syfthub_proto::oauth::*;
use tonic::{Response, Status};

use super::{SESSION, State, person, refused};

pub(super) fn begin(state: &State, request: BeginDeviceRequest) -> Response<BeginDeviceResponse> {
    let device = (request.clone(), DeviceState::Pending, None);
    state.kept().devices.insert(request.user_code, device);
    Response::new(BeginDeviceResponse {})
}

pub(super) fn find(
    state: &State,
    request: &FindDeviceRequest,
) -> Result<Response<FindDeviceResponse>, Status> {
    let kept = state.kept();
    let waiting = kept.devices.get(&request.user_code);
    let waiting = waiting.filter(|(_, state, _)| *state == DeviceState::Pending);
    let (asked, ..) = waiting.ok_or_else(|| refused(ErrorCode::NotFound, "no such device"))?.clone();
    Ok(Response::new(FindDeviceResponse {
        client_id: asked.client_id,
        client_name: asked.client_name,
        resource: asked.resource,
        scopes: asked.scopes,
    }))
}

pub(super) fn decide(
    state: &State,
    request: &DecideDeviceRequest,
) -> Result<Response<DecideDeviceResponse>, Status> {
    if request.session != SESSION {
        return Err(refused(ErrorCode::Unauthenticated, "no session"));
    }
    let mut kept = state.kept();
    let waiting = kept.devices.get_mut(&request.user_code);
    let waiting = waiting.filter(|(_, state, _)| *state == DeviceState::Pending);
    let (asked, state, grant) = waiting.ok_or_else(|| refused(ErrorCode::NotFound, "no such device"))?;
    *state = if request.approve { DeviceState::Approved } else { DeviceState::Denied };
    *grant = Some(Grant {
        id: uuid::Uuid::new_v4().to_string(),
        client_id: asked.client_id.clone(),
        client_name: asked.client_name.clone(),
        resource: asked.resource.clone(),
        scopes: asked.scopes.clone(),
        principal: Some(person()),
        auth_time: 1_699_999_000,
        ..Grant::default()
    });
    Ok(Response::new(DecideDeviceResponse {}))
}

pub(super) fn poll(state: &State, request: PollDeviceRequest) -> Response<PollDeviceResponse> {
    let mut kept = state.kept();
    let found = kept.devices.values_mut().find(|(asked, ..)| {
        asked.device_code_hash == request.device_code_hash && asked.client_id == request.client_id
    });
    let unknown = || PollDeviceResponse { state: DeviceState::Unknown.into(), grant: None };
    let Some((_, state, grant)) = found else { return Response::new(unknown()) };
    let mut answer = PollDeviceResponse { state: (*state).into(), grant: None };
    if *state == DeviceState::Approved {
        *state = DeviceState::Unknown;
        answer.grant.clone_from(grant);
    }
    if let Some(grant) = &answer.grant {
        kept.refresh.insert(request.refresh_token_hash, (grant.id.clone(), None));
        kept.grants.insert(grant.id.clone(), grant.clone());
    }
    Response::new(answer)
}
