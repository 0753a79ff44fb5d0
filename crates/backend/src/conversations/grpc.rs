//! `conversations.v1`, for the chat service.

use syfthub_auth::{Action, Principal};
use syfthub_domain::{Error, ErrorCode, Result};
use syfthub_proto::conversations::conversations_service_server::ConversationsService;
use syfthub_proto::conversations::{
    AnswerStatus, AppendRequest, AppendResponse, CheckRequest, CheckResponse,
};
use syfthub_rpc::{Caller, require};
use tonic::{Request, Response, Status};

use super::exchange::Exchange;
use crate::identity::grpc::answer;
use crate::identity::{Method, callers};
use crate::router::AppState;

/// Serves `conversations.v1`.
#[derive(Debug, Clone)]
pub(crate) struct ConversationsGrpc(pub(crate) AppState);

#[tonic::async_trait]
impl ConversationsService for ConversationsGrpc {
    async fn check(
        &self,
        request: Request<CheckRequest>,
    ) -> std::result::Result<Response<CheckResponse>, Status> {
        let caller = require(&request, callers(Method::CheckConversation))?;
        answer(self.may_append(caller, request.into_inner()).await)
    }

    async fn append(
        &self,
        request: Request<AppendRequest>,
    ) -> std::result::Result<Response<AppendResponse>, Status> {
        let caller = require(&request, callers(Method::AppendConversation))?;
        answer(self.add(caller, request.into_inner()).await)
    }
}

impl ConversationsGrpc {
    async fn writer(&self, service: Caller, credential: &str) -> Result<Principal> {
        let principal = self.0.access.authenticate_for(service, credential).await?;
        principal.require(Action::Write)?;
        Ok(principal)
    }

    async fn may_append(&self, service: Caller, request: CheckRequest) -> Result<CheckResponse> {
        let owner = self.writer(service, &request.credential).await?;
        self.0.conversations.check(&owner, &request.conversation_id).await?;
        Ok(CheckResponse {})
    }

    async fn add(&self, service: Caller, request: AppendRequest) -> Result<AppendResponse> {
        let owner = self.writer(service, &request.credential).await?;
        let status = match request.status() {
            AnswerStatus::Complete => "complete",
            AnswerStatus::Partial => "partial",
            AnswerStatus::Failed => "failed",
            AnswerStatus::Unspecified => {
                return Err(Error::new(ErrorCode::BadRequest, "an exchange lacks its status"));
            }
        };
        let exchange = Exchange {
            id: request.exchange_id,
            question: request.question,
            answer: request.answer,
            status,
            model: request.model,
            citations: request.citations_json,
        };
        let added = self.0.conversations.append(&owner, &request.conversation_id, exchange).await?;
        Ok(AppendResponse { repeated: !added })
    }
}
