//! A server that speaks HTTP over TLS with a certificate as a test wants it.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

/// Who vouches for certificates.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// When a certificate is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// Now.
    Now,
    /// It was, once.
    Past,
}

impl Authority {
    /// A new one.
    #[expect(clippy::new_without_default, reason = "each is another")]
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names");
        // Authorities of the same name would pass for one that changed its key.
        let name = uuid::Uuid::new_v4().to_string();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key can be made");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority can sign itself"))
    }

    /// Its own certificate in DER, for clients to trust.
    pub fn certificate(&self) -> Vec<u8> {
        let certificate: &rcgen::Certificate = self.0.as_ref();
        certificate.der().to_vec()
    }

    /// Starts a server whose certificate is for `name` and good in `period`; it answers everything with `json`, in which
    /// `{port}` stands for its port.
    pub async fn serve(&self, name: &str, period: Period, json: &str) -> TlsServer {
        self.answering(name, period, |port| {
            let json = json.replace("{port}", &port.to_string());
            let length = json.len();
            format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{json}"
            )
        })
        .await
    }

    /// The same for one that answers everything with this text, head and all, in which `{port}` stands for its port.
    pub async fn serve_text(&self, name: &str, answer: &str) -> TlsServer {
        self.answering(name, Period::Now, |port| answer.replace("{port}", &port.to_string())).await
    }

    async fn answering(&self, name: &str, period: Period, answer: impl FnOnce(u16) -> String) -> TlsServer {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        if period == Period::Past {
            (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
        }
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = params.signed_by(&key, &self.0).expect("an authority can sign");
        let key = key.serialize_der().try_into().expect("a key in PKCS #8");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("usual versions of TLS")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("the key belongs to the certificate");
        TlsServer::start(TlsAcceptor::from(Arc::new(config)), answer).await
    }
}

/// A server on 127.0.0.1; ends when dropped.
#[derive(Debug)]
pub struct TlsServer {
    /// Its port.
    pub port: u16,
    requests: Arc<AtomicUsize>,
    task: AbortHandle,
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl TlsServer {
    async fn start(acceptor: TlsAcceptor, answer: impl FnOnce(u16) -> String) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("no free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let answer = answer(port);
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        #[expect(clippy::disallowed_methods, reason = "aborted when the server is dropped")]
        let task = tokio::spawn(async move {
            let mut clients = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                clients.spawn(answer_one(stream, acceptor.clone(), answer.clone(), Arc::clone(&counter)));
            }
        });
        Self { port, requests, task: task.abort_handle() }
    }

    /// Requests that got through the handshake.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// A client that does not like the certificate goes away, which is what is tested.
async fn answer_one(stream: TcpStream, acceptor: TlsAcceptor, answer: String, requests: Arc<AtomicUsize>) {
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    let (mut head, mut piece) = (Vec::new(), [0; 4096]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return,
            Ok(length) => head.extend_from_slice(&piece[..length]),
        }
    }
    requests.fetch_add(1, Ordering::SeqCst);
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}
