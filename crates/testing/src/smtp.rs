//! A mail server that speaks real SMTP on loopback: in clear, with STARTTLS or with TLS from the first byte, under a
//! certificate of its own, with sign-in, and with refusals on request.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::ServerConfig;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

/// How a server behaves.
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// When the connection is encrypted.
    pub tls: Encryption,
    /// Name that the certificate shows.
    pub certificate_for: &'static str,
    /// Name and password that it asks for.
    pub credentials: Option<(&'static str, &'static str)>,
    /// Recipients that it puts off with a 451, before it takes any.
    pub busy: usize,
    /// Whether it refuses all recipients for good, with a 550 that repeats the address.
    pub refuses: bool,
}

impl Default for Behaviour {
    /// STARTTLS as `localhost`, open to all, always ready.
    fn default() -> Self {
        Self {
            tls: Encryption::StartTls,
            certificate_for: "localhost",
            credentials: None,
            busy: 0,
            refuses: false,
        }
    }
}

/// When a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// Never.
    Never,
    /// When the client asks.
    StartTls,
    /// From the first byte.
    Tls,
}

/// A mail that a server took.
#[derive(Debug, Clone)]
pub struct Received {
    /// Envelope sender.
    pub from: String,
    /// Envelope recipients.
    pub to: Vec<String>,
    /// Head and body as they came.
    pub data: String,
    /// Whether the connection was encrypted.
    pub encrypted: bool,
    /// Who had signed in.
    pub user: Option<String>,
}

#[derive(Debug, Default)]
struct State {
    mails: Vec<Received>,
    /// Recipients that were named, taken or not.
    asked: usize,
    /// Commands that came in clear.
    in_clear: Vec<String>,
}

/// A mail server; ends when dropped.
#[derive(Debug)]
pub struct SmtpServer {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    /// Its certificate in PEM, for clients to trust.
    pub ca_file: PathBuf,
    state: Arc<Mutex<State>>,
    task: AbortHandle,
    _folder: tempfile::TempDir,
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl SmtpServer {
    /// Starts a server with a fresh certificate.
    pub async fn start(behaviour: Behaviour) -> Self {
        let made = rcgen::generate_simple_self_signed(vec![behaviour.certificate_for.to_owned()])
            .expect("a certificate can be made");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ca_file = folder.path().join("mail-server.pem");
        std::fs::write(&ca_file, made.cert.pem()).expect("the certificate can be written");
        let key = made.signing_key.serialize_der().try_into().expect("a key in PKCS #8");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("usual versions of TLS")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("the key belongs to the certificate");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("no free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        #[expect(clippy::disallowed_methods, reason = "aborted when the server is dropped")]
        let task = tokio::spawn(async move {
            let mut clients = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let session =
                    Session { behaviour: behaviour.clone(), state: Arc::clone(&shared), user: None };
                clients.spawn(session.serve(stream, acceptor.clone()));
            }
        });
        Self { port, ca_file, state, task: task.abort_handle(), _folder: folder }
    }

    /// The mails that it took.
    pub fn mails(&self) -> Vec<Received> {
        self.locked(|state| state.mails.clone())
    }

    /// How many recipients were named to it, taken or not.
    pub fn asked(&self) -> usize {
        self.locked(|state| state.asked)
    }

    /// The commands that came in clear.
    pub fn in_clear(&self) -> Vec<String> {
        self.locked(|state| state.in_clear.clone())
    }

    fn locked<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Why a conversation stopped.
enum End {
    Quit,
    /// The client asked to encrypt.
    Encrypt,
}

struct Session {
    behaviour: Behaviour,
    state: Arc<Mutex<State>>,
    user: Option<String>,
}

impl Session {
    /// A conversation; a client that goes away in the middle ends it.
    async fn serve(mut self, stream: TcpStream, acceptor: TlsAcceptor) {
        if self.behaviour.tls == Encryption::Tls {
            if let Ok(stream) = acceptor.accept(stream).await {
                let mut wire = BufReader::new(stream);
                let _ = self.talk(&mut wire, true, true).await;
            }
            return;
        }
        let mut wire = BufReader::new(stream);
        if let Ok(End::Encrypt) = self.talk(&mut wire, false, true).await
            && let Ok(stream) = acceptor.accept(wire.into_inner()).await
        {
            let _ = self.talk(&mut BufReader::new(stream), true, false).await;
        }
    }

    async fn talk<W: Wire>(
        &mut self,
        wire: &mut BufReader<W>,
        encrypted: bool,
        greet: bool,
    ) -> std::io::Result<End> {
        if greet {
            say(wire, "220 mail.test ESMTP").await?;
        }
        let (mut from, mut to) = (String::new(), Vec::new());
        loop {
            let mut line = String::new();
            if wire.read_line(&mut line).await? == 0 {
                return Ok(End::Quit);
            }
            let line = line.trim_end();
            if !encrypted {
                self.change(|state| state.in_clear.push(line.to_owned()));
            }
            let upper = line.to_ascii_uppercase();
            match upper.split([' ', ':']).next().unwrap_or_default() {
                "EHLO" | "HELO" => say(wire, &self.greeting(encrypted)).await?,
                "STARTTLS" if self.behaviour.tls == Encryption::StartTls && !encrypted => {
                    say(wire, "220 go on").await?;
                    return Ok(End::Encrypt);
                }
                "AUTH" => {
                    let answer = self.sign_in(line);
                    say(wire, answer).await?;
                }
                "MAIL" if self.behaviour.credentials.is_some() && self.user.is_none() => {
                    say(wire, "530 5.7.0 Authentication required").await?;
                }
                "MAIL" => {
                    from = address(line);
                    say(wire, "250 ok").await?;
                }
                "RCPT" => {
                    let (answer, taken) = self.recipient(&address(line));
                    to.extend(taken);
                    say(wire, &answer).await?;
                }
                "DATA" => {
                    say(wire, "354 end with a dot").await?;
                    let data = read_data(wire).await?;
                    let mail = Received {
                        from: std::mem::take(&mut from),
                        to: std::mem::take(&mut to),
                        data,
                        encrypted,
                        user: self.user.clone(),
                    };
                    self.change(|state| state.mails.push(mail));
                    say(wire, "250 2.0.0 taken").await?;
                }
                "QUIT" => {
                    say(wire, "221 bye").await?;
                    return Ok(End::Quit);
                }
                "RSET" | "NOOP" => say(wire, "250 ok").await?,
                _ => say(wire, "502 5.5.2 unknown").await?,
            }
        }
    }

    fn greeting(&self, encrypted: bool) -> String {
        let mut lines = vec!["mail.test", "8BITMIME", "SMTPUTF8"];
        if self.behaviour.tls == Encryption::StartTls && !encrypted {
            lines.push("STARTTLS");
        }
        if self.behaviour.credentials.is_some() {
            lines.push("AUTH PLAIN");
        }
        let last = lines.len() - 1;
        let line =
            |(index, text): (usize, &&str)| format!("250{}{text}", if index == last { ' ' } else { '-' });
        lines.iter().enumerate().map(line).collect::<Vec<_>>().join("\r\n")
    }

    /// `AUTH PLAIN` with everything in one line.
    fn sign_in(&mut self, line: &str) -> &'static str {
        let sent = line.split(' ').nth(2).and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
        let sent = String::from_utf8_lossy(&sent).into_owned();
        let parts: Vec<&str> = sent.split('\0').collect();
        match (self.behaviour.credentials, parts.as_slice()) {
            (Some((name, password)), [_, user, pass]) if (*user, *pass) == (name, password) => {
                self.user = Some(name.to_owned());
                "235 2.7.0 welcome"
            }
            _ => "535 5.7.8 Authentication credentials invalid",
        }
    }

    fn recipient(&self, to: &str) -> (String, Option<String>) {
        let asked = self.change(|state| {
            state.asked += 1;
            state.asked
        });
        if self.behaviour.refuses {
            (format!("550 5.1.1 <{to}>: no such mailbox"), None)
        } else if asked <= self.behaviour.busy {
            ("451 4.3.0 try again later".to_owned(), None)
        } else {
            ("250 ok".to_owned(), Some(to.to_owned()))
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn say<W: Wire>(wire: &mut BufReader<W>, line: &str) -> std::io::Result<()> {
    wire.write_all(line.as_bytes()).await?;
    wire.write_all(b"\r\n").await?;
    wire.flush().await
}

/// What stands between the angle brackets of a command.
fn address(line: &str) -> String {
    let inner = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map(|(address, _)| address.to_owned()).unwrap_or_default()
}

async fn read_data<W: Wire>(wire: &mut BufReader<W>) -> std::io::Result<String> {
    let mut data = String::new();
    loop {
        let mut line = String::new();
        if wire.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == ".\r\n" {
            return Ok(data);
        }
        data.push_str(line.strip_prefix('.').unwrap_or(&line)); // RFC 5321, 4.5.2
    }
}
