//! Mail through a mail server.

use std::error::Error as _;
use std::time::Duration;

use async_trait::async_trait;
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use syfthub_config::{Mail as MailSettings, Smtp as SmtpSettings, SmtpTls};
use syfthub_domain::{Error, ErrorCode, Result};

use super::mailer::{Letter, Mailer, SendError};

/// Longest silence of the server.
const SILENCE: Duration = Duration::from_secs(15);

/// A mail server.
pub(crate) struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Smtp") // the transport knows the password
    }
}

impl Smtp {
    /// Prepares the way to the server; nothing is connected yet.
    pub(crate) fn new(settings: &MailSettings, server: &SmtpSettings) -> Result<Self> {
        syfthub_egress::install_tls();
        let tls = match server.tls {
            SmtpTls::StartTls => Tls::Required(tls_parameters(server)?),
            SmtpTls::Tls => Tls::Wrapper(tls_parameters(server)?),
            SmtpTls::None => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server.host.as_str())
            .port(server.port)
            .tls(tls)
            .timeout(Some(SILENCE));
        if let Some((name, password)) = &server.credentials {
            builder = builder.credentials(Credentials::new(name.clone(), password.expose().to_owned()));
        }
        Ok(Self { transport: builder.build(), from: sender(settings)? })
    }

    fn compose(&self, letter: &Letter) -> std::result::Result<Message, SendError> {
        let refuse = |error: &dyn std::error::Error| SendError::new(false, &error.to_string());
        let to: Address = letter.to.parse().map_err(|error| refuse(&error))?;
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(letter.subject.as_str())
            .message_id(Some(format!("<{}@{}>", letter.id, self.from.email.domain())))
            .multipart(MultiPart::alternative_plain_html(letter.text.clone(), letter.html.clone()))
            .map_err(|error| refuse(&error))
    }
}

fn tls_parameters(server: &SmtpSettings) -> Result<TlsParameters> {
    let mut builder = TlsParameters::builder(server.host.clone());
    if let Some(path) = &server.ca_file {
        let unreadable = |why: &dyn std::fmt::Display| {
            let text = format!(
                "SMTP_CA_FILE ({}) cannot be used: {why}; it must be a PEM file of certificates",
                path.display()
            );
            Error::new(ErrorCode::Internal, text.clone()).with_source(text)
        };
        let pem = std::fs::read(path).map_err(|error| unreadable(&error))?;
        let certificate = Certificate::from_pem(&pem).map_err(|error| unreadable(&error))?;
        builder = builder.add_root_certificate(certificate);
    }
    builder.build().map_err(Error::internal)
}

fn sender(settings: &MailSettings) -> Result<Mailbox> {
    let address: Address = settings.from_email.parse().map_err(Error::internal)?;
    Ok(Mailbox::new(Some(settings.from_name.clone()), address))
}

#[async_trait]
impl Mailer for Smtp {
    async fn send(&self, letter: &Letter) -> std::result::Result<(), SendError> {
        let message = self.compose(letter)?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            // 5xx is the server's last word; everything else may be better in a moment.
            Err(error) => {
                let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
                Err(SendError::new(!error.is_permanent(), &format!("{error}{cause}")))
            }
        }
    }
}
