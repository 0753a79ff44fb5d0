//! Mail through the HTTP interface of Resend.

use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderName, HeaderValue};
use serde_json::json;
use syfthub_config::{Mail as MailSettings, Resend as ResendSettings, Secret};
use syfthub_domain::{Error, Result};
use syfthub_egress::{Client, Limits};
use url::Url;

use super::mailer::{Letter, Mailer, SendError};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Answers are not read beyond this, in bytes.
const ANSWER: usize = 16 * 1024;

/// The HTTP interface of Resend, or one like it.
#[derive(Debug)]
pub(crate) struct Resend {
    client: Client,
    url: Url,
    api_key: Secret,
    from: String,
}

impl Resend {
    /// Prepares the client.
    pub(crate) fn new(settings: &MailSettings, resend: &ResendSettings) -> Result<Self> {
        let limits =
            Limits { connect: Duration::from_secs(5), total: Duration::from_secs(20), max_body: ANSWER };
        Ok(Self {
            client: Client::operator(limits).map_err(Error::internal)?,
            url: resend.url.clone(),
            api_key: resend.api_key.clone(),
            from: format!("{} <{}>", quoted(&settings.from_name), settings.from_email),
        })
    }
}

/// A name before an address, in the quotes of RFC 5322.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

#[async_trait]
impl Mailer for Resend {
    async fn send(&self, letter: &Letter) -> std::result::Result<(), SendError> {
        let body = json!({
            "from": self.from, "to": [letter.to], "subject": letter.subject, "text": letter.text, "html": letter.html,
        });
        let mut request = self.client.post(self.url.clone()).bearer(&self.api_key).json(&body);
        // The same over all tries: what arrived but was not answered in time is not sent twice.
        if let Ok(key) = HeaderValue::from_str(&letter.id) {
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        let answer = request.send().await.map_err(|error| SendError::new(true, &error.to_string()))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let retry = status.is_server_error() || matches!(status.as_u16(), 408 | 409 | 429);
        let said = answer.excerpt(ANSWER).await;
        Err(SendError::new(retry, &format!("{status}: {said}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_stays_one_sender() {
        assert_eq!(quoted(r#"A" <evil@example.com>, "B\"#), r#""A\" <evil@example.com>, \"B\\""#);
    }
}
