//! One repetition of idempotent reads when the network failed.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Service, ServiceExt};

use crate::MAX_MESSAGE_BYTES;
use crate::status::ERROR_KEY;

/// Methods that asking twice changes nothing: they only read, or know what they were told before.
const IDEMPOTENT: &[&str] = &[
    "/syfthub.identity.v1.IdentityService/VerifyCredential",
    "/syfthub.identity.v1.IdentityService/FindUser",
    "/syfthub.directory.v1.DirectoryService/ResolveEndpoints",
    "/syfthub.directory.v1.DirectoryService/SearchEndpoints",
    "/syfthub.directory.v1.DirectoryService/ListEndpoints",
    "/syfthub.directory.v1.DirectoryService/ResolvePreset",
    "/syfthub.directory.v1.DirectoryService/ListPresets",
    "/syfthub.directory.v1.DirectoryService/DescribeEndpoints",
    // The whole of what a reporter says, in place of what it said before.
    "/syfthub.directory.v1.DirectoryService/ReportBreakers",
    // A batch counts once, however often it comes.
    "/syfthub.usage.v1.UsageService/Record",
    "/syfthub.conversations.v1.ConversationsService/Check",
    // An exchange is added once.
    "/syfthub.conversations.v1.ConversationsService/Append",
];

/// Long enough for a connection to be made anew, short enough not to be felt.
const PAUSE: Duration = Duration::from_millis(50);

/// Sends the request, and once more if it may be repeated and did not reach a service.
pub(crate) async fn send<S>(service: S, request: Request<Body>) -> Result<Response<Body>, Status>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Status> + Clone,
{
    if !IDEMPOTENT.contains(&request.uri().path()) {
        return service.oneshot(request).await;
    }
    let (parts, body) = request.into_parts();
    let bytes = collect(body).await?;
    let again = || Request::from_parts(parts.clone(), Body::new(Full::new(bytes.clone())));
    let first = service.clone().oneshot(again()).await;
    let failed = match &first {
        Ok(answer) => lost_on_the_way(answer.headers()),
        Err(status) => status.code() == Code::Unavailable,
    };
    if !failed {
        return first;
    }
    tracing::info!(path = parts.uri.path(), "rpc.call.repeated");
    tokio::time::sleep(PAUSE).await;
    service.oneshot(again()).await
}

/// `UNAVAILABLE` without our trailer comes from the network. With it the service itself refused, and
/// asking again would only add to its load.
fn lost_on_the_way(headers: &HeaderMap) -> bool {
    Status::from_header_map(headers).is_some_and(|status| status.code() == Code::Unavailable)
        && !headers.contains_key(ERROR_KEY)
}

async fn collect(body: Body) -> Result<Bytes, Status> {
    let limited = http_body_util::Limited::new(body, MAX_MESSAGE_BYTES + 5); // 5: the frame's prefix
    let collected = limited.collect().await.map_err(Status::from_error)?;
    Ok(collected.to_bytes())
}
