//! Chats for a while at half of what the aggregator can do, to see whether anything of them stays behind: memory,
//! descriptors, streams. Some clients leave in the middle, one data source never answers.

mod clients;
mod samples;
pub(crate) mod stubs;

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

use crate::cases::Plan;
use crate::load::{self, Shot};
use crate::process::{Server, free_port};
use clients::{Seen, Target};
use samples::Samples;

/// Clients that look for the most that is possible.
const CROWD: usize = 256;
/// Clients at half of that.
const CLIENTS: usize = 96;
/// Time for each of the two looks at what is possible; the first is not counted.
const LOOK: Duration = Duration::from_secs(6);
/// Between two looks at the memory.
const BETWEEN: Duration = Duration::from_secs(2);
/// Streams of clients that are gone have to end within this.
const AFTER: Duration = Duration::from_secs(10);

/// The services under load.
struct Hub {
    backend: Server,
    aggregator: Server,
    _data: TempDir,
}

/// Runs for `length`; an error says what stayed behind or failed.
pub(crate) async fn run(plan: &Plan, length: Duration) -> anyhow::Result<()> {
    let hub = Hub::start(plan).await?;
    let stubs = plan.own(&["chat-stubs"]).await?;
    let target = Target { hub: hub.aggregator.addr, stubs: stubs.addr };
    clients::drive(target, LOOK, None, CROWD).await?;
    let look = clients::drive(target, LOOK, None, CROWD).await?;
    let most = look.rate();
    ensure!(most > 0.0, "no chat was answered:\n{}", look.failures().join("\n"));
    let rate = most / 2.0;
    say(&format!("the most is {most:.0} chats a second; {rate:.0} for {} minutes", length.as_secs() / 60))?;
    let load = clients::drive(target, length, Some(rate), CLIENTS);
    let (seen, samples) = tokio::join!(load, watch(&hub.aggregator, length));
    let (seen, samples) = (seen?, samples?);
    say(&seen.describe())?;
    say(&samples.describe())?;
    let left = left_over(&hub.aggregator).await?;
    let outcomes = outcomes(&figures(&hub.aggregator).await?);
    say(&format!("as the aggregator counts them: {outcomes:?}"))?;
    stubs.stop().await?;
    hub.aggregator.stop().await?;
    hub.backend.stop().await?;
    verdict(&seen, &samples, &left, &outcomes)
}

fn verdict(
    seen: &Seen,
    samples: &Samples,
    left: &[String],
    outcomes: &BTreeMap<String, f64>,
) -> anyhow::Result<()> {
    let mut faults: Vec<String> = seen.failures().to_vec();
    faults.extend(samples.faults());
    faults.extend(left.iter().map(|gauge| format!("left over: {gauge}")));
    let strange = outcomes.keys().filter(|outcome| !["ok", "CANCELLED"].contains(&outcome.as_str()));
    faults.extend(strange.map(|outcome| format!("chats ended with {outcome}")));
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    say("no chat failed, nothing stayed behind")
}

impl Hub {
    async fn start(plan: &Plan) -> anyhow::Result<Self> {
        let data = TempDir::new()?;
        let [http, grpc, chat, chat_grpc] = [free_port()?, free_port()?, free_port()?, free_port()?];
        let local = |port: u16| format!("http://127.0.0.1:{port}");
        let settings = |grpc_port: u16| {
            vec![
                ("SECRET_KEY", "0123456789abcdef0123456789abcdef-bench".to_owned()),
                ("SYFTHUB_DATA_DIR", data.path().display().to_string()),
                ("DATABASE_URL", format!("sqlite:///{}", data.path().join("hub.db").display())),
                ("HOST", "127.0.0.1".to_owned()),
                ("PORT", http.to_string()),
                ("AGGREGATOR_PORT", chat.to_string()),
                ("GRPC_PORT", grpc_port.to_string()),
                ("BACKEND_GRPC_URL", local(grpc)),
                ("AGGREGATOR_GRPC_URL", local(chat_grpc)),
                ("SYFTHUB_URL", local(http)),
                ("AGGREGATOR_SYFTHUB_URL", local(http)),
                ("EGRESS_ALLOW", "loopback".to_owned()),
                ("RATE_LIMIT_ENABLED", "false".to_owned()),
                ("LOG_LEVEL", "warning".to_owned()),
                ("AGGREGATOR_RETRIEVAL_TIMEOUT", "5".to_owned()),
                ("AGGREGATOR_MAX_CALLS_PER_OWNER", "512".to_owned()),
            ]
        };
        let start = async |name: &str, grpc_port: u16, port: u16| {
            let program = plan.binaries.join(name);
            Server::start(&program, &["serve"], &settings(grpc_port), port, "/health")
                .await
                .context(name.to_owned())
        };
        let backend = start("syfthub-backend", grpc, http).await?;
        let aggregator = start("syfthub-aggregator", chat_grpc, chat).await?;
        Ok(Self { backend, aggregator, _data: data })
    }
}

/// Looks at the aggregator again and again.
async fn watch(aggregator: &Server, length: Duration) -> anyhow::Result<Samples> {
    let (started, mut samples) = (Instant::now(), Samples::default());
    let mut told = Duration::ZERO;
    while started.elapsed() < length {
        tokio::time::sleep(BETWEEN).await;
        samples.add(aggregator.resident_mib()?, aggregator.descriptors()?);
        if started.elapsed() >= told + Duration::from_secs(30) {
            told = started.elapsed();
            say(&format!("after {} s: {:.1} MiB", told.as_secs(), aggregator.resident_mib()?))?;
        }
    }
    Ok(samples)
}

/// Series of `/metrics` and their values.
async fn figures(aggregator: &Server) -> anyhow::Result<BTreeMap<String, f64>> {
    let mut sender = load::connect(aggregator.addr).await?;
    let page = load::send(&mut sender, &Shot::get("/metrics")).await?;
    let page = String::from_utf8_lossy(&page);
    let series = page.lines().filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        Some((series.to_owned(), value.parse().ok()?))
    });
    Ok(series.filter(|(series, _)| !series.starts_with('#')).collect())
}

/// Chats and streams that are still there when all clients are gone.
async fn left_over(aggregator: &Server) -> anyhow::Result<Vec<String>> {
    let started = Instant::now();
    loop {
        let figures = figures(aggregator).await?;
        let is_life = |series: &str| {
            series.starts_with("syfthub_chats_active") || series.starts_with("syfthub_sse_streams_active")
        };
        let lives: Vec<_> = figures.iter().filter(|(series, _)| is_life(series)).collect();
        ensure!(lives.len() >= 3, "the aggregator does not count its chats and streams");
        let left: Vec<String> = lives
            .into_iter()
            .filter(|(_, value)| **value != 0.0)
            .map(|(series, value)| format!("{series} {value}"))
            .collect();
        if left.is_empty() || started.elapsed() > AFTER {
            return Ok(left);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn outcomes(figures: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let label = |series: &str| {
        series.strip_prefix("syfthub_chat_requests_total{outcome=\"")?.strip_suffix("\"}").map(str::to_owned)
    };
    figures.iter().filter_map(|(series, value)| Some((label(series)?, *value))).collect()
}

fn say(text: &str) -> anyhow::Result<()> {
    writeln!(io::stdout(), "{text}").context("write")
}
