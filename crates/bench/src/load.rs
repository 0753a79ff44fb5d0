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
}

impl Shot {
    pub(crate) fn get(path: &str) -> Self {
        Self { method: Method::GET, path: path.to_owned(), body: Bytes::new() }
    }

    pub(crate) fn post_json(path: &str, body: &serde_json::Value) -> Self {
        Self { method: Method::POST, path: path.to_owned(), body: Bytes::from(body.to_string()) }
    }
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Latencies in microseconds, sorted.
    latencies: Vec<u64>,
    /// Seconds that the load lasted.
    seconds: f64,
}

impl Outcome {
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
    drive(addr, shot, connections, length / 4).await?;
    let started = Instant::now();
    let mut latencies = drive(addr, shot, connections, length).await?;
    let seconds = started.elapsed().as_secs_f64();
    latencies.sort_unstable();
    Ok(Outcome { latencies, seconds })
}

async fn drive(
    addr: SocketAddr,
    shot: &Shot,
    connections: usize,
    length: Duration,
) -> anyhow::Result<Vec<u64>> {
    let mut tasks = JoinSet::new();
    let until = Instant::now() + length;
    for _ in 0..connections {
        let shot = shot.clone();
        tasks.spawn(async move {
            let mut sender = connect(addr).await?;
            let mut latencies = Vec::with_capacity(4096);
            while Instant::now() < until {
                let started = Instant::now();
                send(&mut sender, &shot).await?;
                latencies.push(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX));
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
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    if let Some(token) = bearer {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let response = sender.send_request(request.body(Full::new(shot.body.clone()))?).await?;
    let status = response.status();
    Ok((status, response.into_body().collect().await?.to_bytes()))
}
