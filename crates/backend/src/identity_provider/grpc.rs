//! `ops.v1`: the operator's commands about keys, for the command line beside a running backend; and the faults of the
//! other services, for the operator.

use syfthub_domain::{Result, Timestamp};
use syfthub_proto::ops::ops_service_server::OpsService;
use syfthub_proto::ops::{
    ListKeysRequest, ListKeysResponse, ReportErrorsRequest, ReportErrorsResponse, RetireKeyRequest,
    RetireKeyResponse, RotateKeyRequest, RotateKeyResponse, SigningKey,
};
use syfthub_rpc::require;
use tonic::{Request, Response, Status};

use super::rotation::KeyInfo;
use crate::App;
use crate::identity::grpc::answer;
use crate::identity::{Method, callers};
use crate::operator::Ring;

/// Serves `ops.v1`.
#[derive(Debug, Clone)]
pub(crate) struct OpsGrpc(pub(crate) App);

#[tonic::async_trait]
impl OpsService for OpsGrpc {
    async fn list_keys(
        &self,
        request: Request<ListKeysRequest>,
    ) -> std::result::Result<Response<ListKeysResponse>, Status> {
        require(&request, callers(Method::ListKeys))?;
        let ring = Ring::named(&request.into_inner().ring);
        let keys = async { self.0.ring_keys(ring?).await };
        answer(wire(keys.await).map(|keys| ListKeysResponse { keys }))
    }

    async fn rotate_key(
        &self,
        request: Request<RotateKeyRequest>,
    ) -> std::result::Result<Response<RotateKeyResponse>, Status> {
        require(&request, callers(Method::RotateKey))?;
        let RotateKeyRequest { at_once, ring } = request.into_inner();
        let keys = async { self.0.rotate_ring(Ring::named(&ring)?, at_once).await };
        answer(wire(keys.await).map(|keys| RotateKeyResponse { keys }))
    }

    async fn retire_key(
        &self,
        request: Request<RetireKeyRequest>,
    ) -> std::result::Result<Response<RetireKeyResponse>, Status> {
        require(&request, callers(Method::RetireKey))?;
        let RetireKeyRequest { kid, force, ring } = request.into_inner();
        let keys = async { self.0.retire_in(Ring::named(&ring)?, &kid, force).await };
        answer(wire(keys.await).map(|keys| RetireKeyResponse { keys }))
    }

    async fn report_errors(
        &self,
        request: Request<ReportErrorsRequest>,
    ) -> std::result::Result<Response<ReportErrorsResponse>, Status> {
        let caller = require(&request, callers(Method::ReportErrors))?;
        let taken = self.0.state.error_reports.take_all(caller, request.into_inner());
        answer(taken.map(|()| ReportErrorsResponse {}))
    }
}

fn wire(keys: Result<Vec<KeyInfo>>) -> Result<Vec<SigningKey>> {
    let micros = |time: Option<Timestamp>| time.map(Timestamp::as_micros);
    let wire = |key: KeyInfo| SigningKey {
        kid: key.kid,
        state: key.state,
        created_at: micros(key.created_at),
        activated_at: micros(key.activated_at),
        retired_at: micros(key.retired_at),
        published_until: micros(key.published_until),
    };
    Ok(keys?.into_iter().map(wire).collect())
}

/// The key that a message is about.
pub(crate) fn from_wire(key: SigningKey) -> KeyInfo {
    let time = |micros: Option<i64>| micros.map(Timestamp::from_micros);
    KeyInfo {
        kid: key.kid,
        state: key.state,
        created_at: time(key.created_at),
        activated_at: time(key.activated_at),
        retired_at: time(key.retired_at),
        published_until: time(key.published_until),
    }
}
