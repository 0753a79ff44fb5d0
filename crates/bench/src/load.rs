//! Closed-loop load over kept-alive HTTP/1.1 connections.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::SendRequest;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// One open connection.
pub(crate) type Sender = SendRequest<Full<Bytes>>;

/// One request that is sent again and again.
#[derive(Debug, Clone)]
pub(crate) struct Shot {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Bytes,
    pub(crate) content_type: &'static str,
    pub(crate) bearer: Option<String>,
}

impl Shot {
    pub(crate) fn get(path: &str) -> Self {
        Self {
            method: Method::GET,
            path: path.to_owned(),
            body: Bytes::new(),
            content_type: JSON,
            bearer: None,
        }
    }

    pub(crate) fn post_json(path: &str, body: &serde_json::Value) -> Self {
        Self { method: Method::POST, body: Bytes::from(body.to_string()), ..Self::get(path) }
    }

    pub(crate) fn post_form(path: &str, body: &str) -> Self {
        Self {
            method: Method::POST,
            body: Bytes::from(body.to_owned()),
            content_type: FORM,
            ..Self::get(path)
        }
    }

    /// The same with a credential.
    pub(crate) fn with_bearer(self, token: &str) -> Self {
        Self { bearer: Some(token.to_owned()), ..self }
    }
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Latencies in microseconds, sorted.
    latencies: Vec<u64>,
    /// Seconds that the load lasted.
    seconds: f64,
}

impl Outcome {
    pub(crate) fn new(mut latencies: Vec<u64>, lasted: Duration) -> Self {
        latencies.sort_unstable();
        Self { latencies, seconds: lasted.as_secs_f64() }
    }

    /// Completed requests per second.
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.seconds
    }

    /// Latency in milliseconds at quantile `q` (0 to 1).
    pub(crate) fn quantile_ms(&self, q: f64) -> f64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index, rounded down")]
        let index = ((self.latencies.len().saturating_sub(1)) as f64 * q) as usize;
        self.latencies.get(index).copied().unwrap_or(0) as f64 / 1000.0
    }

    pub(crate) fn describe(&self) -> String {
        format!(
            "{:.0}/s, p50 {:.2} ms, p99 {:.2} ms",
            self.rate(),
            self.quantile_ms(0.5),
            self.quantile_ms(0.99)
        )
    }
}

/// Sends `shot` over `connections` connections for `length`, after a warm-up of a quarter of that.
///
/// # Errors
/// Any answer other than 200 ends the run: a fast refusal is no result.
pub(crate) async fn run(
    addr: SocketAddr,
    shot: &Shot,
    connections: usize,
    length: Duration,
) -> anyhow::Result<Outcome> {
    run_all(addr, std::slice::from_ref(shot), connections, length).await
}

/// The same with several requests in turn; each connection begins with another one.
pub(crate) async fn run_all(
    addr: SocketAddr,
    shots: &[Shot],
    connections: usize,
    length: Duration,
) -> anyhow::Result<Outcome> {
    drive(addr, shots, connections, length / 4, Pace::Full).await?;
    let started = Instant::now();
    let latencies = drive(addr, shots, connections, length, Pace::Full).await?;
    Ok(Outcome::new(latencies, started.elapsed()))
}

/// Sends `rate` requests a second, each at its time whether or not the ones before it were answered in time: the
/// latency counts from that time on.
pub(crate) async fn paced(
    addr: SocketAddr,
    shots: &[Shot],
    rate: f64,
    connections: usize,
    length: Duration,
) -> anyhow::Result<Outcome> {
    paced_beyond(addr, shots, rate, connections, length, |_| Ok(0)).await
}

/// The same, less what each answer says that others took, in microseconds.
pub(crate) async fn paced_beyond(
    addr: SocketAddr,
    shots: &[Shot],
    rate: f64,
    connections: usize,
    length: Duration,
    theirs: Theirs,
) -> anyhow::Result<Outcome> {
    let every = Duration::from_secs_f64(connections as f64 / rate.max(1.0));
    let started = Instant::now();
    let latencies = drive(addr, shots, connections, length, Pace::Every(every, theirs)).await?;
    Ok(Outcome::new(latencies, started.elapsed()))
}

/// Reads from an answer what others took for it, in microseconds.
pub(crate) type Theirs = fn(&[u8]) -> anyhow::Result<u64>;

/// When a connection sends.
#[derive(Clone, Copy)]
enum Pace {
    /// As soon as the answer before is there.
    Full,
    /// Each so often; the latency is less what others took.
    Every(Duration, Theirs),
}

async fn drive(
    addr: SocketAddr,
    shots: &[Shot],
    connections: usize,
    length: Duration,
    pace: Pace,
) -> anyhow::Result<Vec<u64>> {
    let mut tasks = JoinSet::new();
    let begin = Instant::now();
    let until = begin + length;
    for number in 0..connections {
        let mut shots: Vec<Shot> = shots.to_vec();
        let turn = number * 7 % shots.len();
        shots.rotate_left(turn);
        tasks.spawn(async move {
            let mut sender = connect(addr).await?;
            let mut latencies = Vec::with_capacity(4096);
            let mut due = begin;
            if let Pace::Every(every, _) = pace {
                due += every.mul_f64(number as f64 / connections as f64);
            }
            for shot in shots.iter().cycle() {
                let started = match pace {
                    Pace::Full => Instant::now(),
                    Pace::Every(every, _) => {
                        tokio::time::sleep_until(due.into()).await;
                        let now = due;
                        due += every;
                        now
                    }
                };
                if started >= until {
                    break;
                }
                let body = send(&mut sender, shot).await?;
                let took = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
                latencies.push(match pace {
                    Pace::Full => took,
                    Pace::Every(_, theirs) => took.saturating_sub(theirs(&body)?),
                });
            }
            Ok::<_, anyhow::Error>(latencies)
        });
    }
    let mut all = Vec::new();
    while let Some(joined) = tasks.join_next().await {
        all.extend(joined??);
    }
    Ok(all)
}

/// Opens one connection; its driver ends when the sender is dropped.
#[expect(clippy::disallowed_methods, reason = "the connection's driver ends with its sender")]
pub(crate) async fn connect(addr: SocketAddr) -> anyhow::Result<Sender> {
    let stream = TcpStream::connect(addr).await.with_context(|| format!("connect to {addr}"))?;
    stream.set_nodelay(true)?;
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Sends one request and reads the whole answer.
pub(crate) async fn send(sender: &mut Sender, shot: &Shot) -> anyhow::Result<Bytes> {
    let (status, body) = exchange(sender, shot, None).await?;
    anyhow::ensure!(
        status == StatusCode::OK,
        "{} answered {status}: {}",
        shot.path,
        String::from_utf8_lossy(&body)
    );
    Ok(body)
}

/// Sends one request with an optional bearer token and returns status and body.
pub(crate) async fn exchange(
    sender: &mut Sender,
    shot: &Shot,
    bearer: Option<&str>,
) -> anyhow::Result<(StatusCode, Bytes)> {
    sender.ready().await?;
    let mut request =
        Request::builder().method(shot.method.clone()).uri(&shot.path).header(header::HOST, "localhost");
    if !shot.body.is_empty() {
        request = request.header(header::CONTENT_TYPE, shot.content_type);
    }
    if let Some(token) = bearer.or(shot.bearer.as_deref()) {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let response = sender.send_request(request.body(Full::new(shot.body.clone()))?).await?;
    let status = response.status();
    Ok((status, response.into_body().collect().await?.to_bytes()))
}
