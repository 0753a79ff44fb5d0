//! Who chats: clients that want a whole answer, that read a stream to its end, that leave in the middle of one, and
//! a few that send an `Idempotency-Key`.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode, header};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::load::{self, Outcome, Sender};

/// Data sources that answer; the one that does not makes ten.
const SOURCES: usize = 9;
/// No chat takes so long, not even one that waits for the source that does not answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Failures that are told.
const TOLD: usize = 10;

/// Who is asked, and where the endpoints are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    pub(super) hub: SocketAddr,
    pub(super) stubs: SocketAddr,
}

/// What a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Whole,
    Stream,
    /// Goes away at the first token.
    Leave,
    Detached,
}

const KINDS: [Kind; 4] = [Kind::Whole, Kind::Stream, Kind::Leave, Kind::Detached];

impl Kind {
    /// 1 in 100 is detached, 19 leave, 40 read a stream, 40 wait for the whole.
    fn of(number: u64) -> Self {
        match number % 100 {
            0 => Self::Detached,
            1..20 => Self::Leave,
            n if n % 2 == 0 => Self::Whole,
            _ => Self::Stream,
        }
    }

    fn path(self) -> &'static str {
        if self == Self::Whole { "/api/v1/chat" } else { "/api/v1/chat/stream" }
    }
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Seen {
    latencies: Outcome,
    counts: [u64; KINDS.len()],
    failed: u64,
    /// The first of them.
    failures: Vec<String>,
}

impl Seen {
    pub(super) fn rate(&self) -> f64 {
        self.latencies.rate()
    }

    pub(super) fn failures(&self) -> &[String] {
        &self.failures
    }

    pub(super) fn describe(&self) -> String {
        let counts: Vec<String> =
            KINDS.iter().zip(self.counts).map(|(kind, count)| format!("{count} {kind:?}")).collect();
        format!("chats: {} ({}), {} failed", self.latencies.describe(), counts.join(", "), self.failed)
    }
}

/// What all clients of a run write to.
#[derive(Default)]
struct Tally {
    next: AtomicU64,
    counts: [AtomicU64; KINDS.len()],
    failed: AtomicU64,
    failures: Mutex<Vec<String>>,
}

impl Tally {
    fn failed(&self, kind: Kind, error: &anyhow::Error) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() < TOLD {
            failures.push(format!("{kind:?}: {error:#}"));
        }
    }
}

/// Chats for `length`, so many a second in all, or as fast as it goes.
pub(super) async fn drive(
    target: Target,
    length: Duration,
    rate: Option<f64>,
    clients: usize,
) -> anyhow::Result<Seen> {
    let (begin, tally) = (Instant::now(), Arc::<Tally>::default());
    let every = rate.map(|rate| Duration::from_secs_f64(clients as f64 / rate));
    let mut tasks = JoinSet::new();
    for number in 0..clients {
        let tally = Arc::clone(&tally);
        let first = begin + every.unwrap_or_default().mul_f64(number as f64 / clients as f64);
        tasks.spawn(async move {
            let (mut line, mut due, mut latencies) = (None, first, Vec::new());
            loop {
                if every.is_some() {
                    tokio::time::sleep_until(due.into()).await;
                    due += every.unwrap_or_default();
                }
                let started = Instant::now();
                if started >= begin + length {
                    return latencies;
                }
                let kind = Kind::of(tally.next.fetch_add(1, Ordering::Relaxed));
                let asking = tokio::time::timeout(PATIENCE, ask(&mut line, target, kind));
                match asking.await.context("no end within half a minute").flatten() {
                    Ok(()) => {
                        tally.counts[kind as usize].fetch_add(1, Ordering::Relaxed);
                        latencies.push(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX));
                    }
                    Err(error) => {
                        line = None;
                        tally.failed(kind, &error);
                    }
                }
            }
        });
    }
    let latencies = tasks.join_all().await.into_iter().flatten().collect();
    let latencies = Outcome::new(latencies, begin.elapsed());
    let counts = tally.counts.each_ref().map(|count| count.load(Ordering::Relaxed));
    let failures = std::mem::take(&mut *tally.failures.lock().unwrap_or_else(PoisonError::into_inner));
    let failed = tally.failed.load(Ordering::Relaxed);
    Ok(Seen { latencies, counts, failed, failures })
}

async fn ask(line: &mut Option<Sender>, target: Target, kind: Kind) -> anyhow::Result<()> {
    let mut sender = match line.take() {
        Some(sender) => sender,
        None => load::connect(target.hub).await?,
    };
    sender.ready().await?;
    let answer = sender.send_request(request(target, kind)?).await?;
    ensure!(answer.status() == StatusCode::OK, "status {}", answer.status());
    if kind == Kind::Leave {
        // The connection goes with the sender and the answer.
        return until_first_token(answer).await;
    }
    let body = answer.into_body().collect().await?.to_bytes();
    check(kind, &String::from_utf8_lossy(&body))?;
    *line = Some(sender);
    Ok(())
}

fn request(target: Target, kind: Kind) -> anyhow::Result<Request<Full<Bytes>>> {
    let endpoint = |slug: &str| json!({ "url": format!("http://{}", target.stubs), "slug": slug, "owner_username": format!("soak-{slug}") });
    let slugs = (0..SOURCES).map(|number| format!("s{number}")).chain(["hung".to_owned()]);
    let sources: Vec<Value> = slugs.map(|slug| endpoint(&slug)).collect();
    let body = json!({ "prompt": "What does engine 7 run on?", "model": endpoint("model"), "data_sources": sources });
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(kind.path())
        .header(header::HOST, "localhost")
        .header(header::CONTENT_TYPE, "application/json");
    if kind == Kind::Detached {
        let key: [u8; 16] = rand::random();
        request = request.header("idempotency-key", hex::encode(key));
    }
    Ok(request.body(Full::new(Bytes::from(body.to_string())))?)
}

/// All sources that can answer did, and there is an answer.
fn check(kind: Kind, body: &str) -> anyhow::Result<()> {
    let end = body.get(body.len().saturating_sub(300)..).unwrap_or_default();
    let report = match kind {
        Kind::Whole => body,
        _ => body.rsplit_once("event: done\n").with_context(|| format!("no last event: {end}"))?.1,
    };
    let answered = report.matches("\"status\":\"success\"").count();
    ensure!(answered == SOURCES, "{answered} sources answered: {end}");
    ensure!(report.contains("fuel") || body.contains("event: token"), "no answer: {end}");
    Ok(())
}

async fn until_first_token(mut answer: Response<Incoming>) -> anyhow::Result<()> {
    let mut seen = String::new();
    while let Some(frame) = answer.body_mut().frame().await {
        if let Ok(piece) = frame?.into_data() {
            seen.push_str(&String::from_utf8_lossy(&piece));
        }
        if seen.contains("event: token") {
            return Ok(());
        }
    }
    bail!("the stream ended before its first token: {seen}")
}
