//! Credentials made through the interface of ngrok.

use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::json;
use syfthub_config::{Ngrok, Secret};
use syfthub_domain::{Error, ErrorCode, Result};
use syfthub_egress::{Client, Limits};
use url::Url;

use super::TunnelProvider;

const VERSION: HeaderName = HeaderName::from_static("ngrok-version");
/// Largest answer, in bytes.
const MAX_ANSWER: usize = 64 * 1024;
/// What a caller is told, whatever went wrong at the provider.
const FAILED: &str = "The tunnel provider did not issue a credential; try again later";

#[derive(Debug)]
pub(super) struct NgrokProvider {
    client: Client,
    credentials: Url,
    api_key: Secret,
}

#[derive(Deserialize)]
struct Issued {
    token: Option<String>,
}

impl NgrokProvider {
    pub(super) fn new(settings: &Ngrok) -> Result<Self> {
        let limits =
            Limits { connect: Duration::from_secs(5), total: Duration::from_secs(15), max_body: MAX_ANSWER };
        let client = Client::operator(limits).map_err(Error::internal)?;
        let base = settings.api_url.as_str().trim_end_matches('/');
        let credentials = Url::parse(&format!("{base}/credentials")).map_err(Error::internal)?;
        Ok(Self { client, credentials, api_key: settings.api_key.clone() })
    }

    async fn ask(
        &self,
        domain: &str,
        description: &str,
    ) -> std::result::Result<Issued, syfthub_egress::Error> {
        let body = json!({"description": description, "acl": [format!("bind:{domain}")]});
        let answer = self
            .client
            .post(self.credentials.clone())
            .bearer(&self.api_key)
            .header(VERSION, HeaderValue::from_static("2"))
            .json(&body)
            .send()
            .await?;
        answer.require_success()?.json_capped(MAX_ANSWER).await
    }
}

#[async_trait]
impl TunnelProvider for NgrokProvider {
    async fn issue(&self, domain: &str, description: &str) -> Result<Secret> {
        let failed = || Error::new(ErrorCode::UpstreamFailed, FAILED);
        let issued = self.ask(domain, description).await.map_err(|error| failed().with_source(error))?;
        let token = issued.token.filter(|token| !token.is_empty());
        token.map(Secret::new).ok_or_else(|| failed().with_source("ngrok answered without a token"))
    }
}
