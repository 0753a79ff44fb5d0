//! Talks to a running hub through `{data-dir}/admin.sock`, so that no command changes the database
//! behind the back of a process that caches it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

/// Name of the socket inside the data directory.
pub(crate) const SOCKET_NAME: &str = "admin.sock";

/// An answer larger than this is not from a hub.
const LARGEST_ANSWER: usize = 4 * 1024 * 1024;

/// The admin socket of one data directory.
#[derive(Debug, Clone)]
pub(crate) struct AdminClient {
    path: PathBuf,
}

impl AdminClient {
    /// The client for this data directory; nothing is opened yet.
    pub(crate) fn new(data_dir: &Path) -> Self {
        Self { path: data_dir.join(SOCKET_NAME) }
    }

    /// Calls the running hub.
    ///
    /// # Errors
    /// The hub does not answer, or it refused; the text is the hub's own message then.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let stream = UnixStream::connect(&self.path)
            .await
            .with_context(|| format!("the running hub does not answer on {}", self.path.display()))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let bytes = body.map_or_else(Bytes::new, |value| Bytes::from(value.to_string()));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(bytes))?;
        let exchange = async move {
            let response = sender.send_request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), LARGEST_ANSWER)
                .collect()
                .await
                .map_err(|error| anyhow::anyhow!("the hub's answer broke off: {error}"))?
                .to_bytes();
            Ok::<_, anyhow::Error>((status, body))
        };
        let (status, body) = tokio::select! {
            result = exchange => result?,
            ended = connection => {
                ended?;
                bail!("the hub closed the connection without an answer");
            }
        };
        let value: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        if !status.is_success() {
            bail!("{}", refusal(&value));
        }
        Ok(value)
    }
}

/// What the hub says of a request that it refused: every field that is wrong, as [`crate::offline::explain`] has it.
fn refusal(answer: &Value) -> String {
    let line = |field: &Value| {
        let name = field["loc"].as_array()?.iter().rev().find_map(Value::as_str)?;
        Some(format!("{name}: {}", field["msg"].as_str()?))
    };
    let fields = answer["detail"].as_array().map(|fields| fields.iter().filter_map(line).collect::<Vec<_>>());
    let fields = fields.filter(|fields| !fields.is_empty()).map(|fields| fields.join("; "));
    fields.unwrap_or_else(|| answer["message"].as_str().unwrap_or("no reason given").to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::refusal;

    #[test]
    fn every_field_that_is_wrong_is_told() {
        let two = json!({"message": "2 fields are not valid", "detail": [
            {"loc": ["body", "name"], "msg": "is too long"}, {"loc": ["body", "tags", 0], "msg": "is missing"},
        ]});
        assert_eq!(refusal(&two), "name: is too long; tags: is missing");
        assert_eq!(refusal(&json!({"message": "no", "detail": "no"})), "no");
        assert_eq!(refusal(&Value::Null), "no reason given");
    }
}
