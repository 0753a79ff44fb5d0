//! Satellite tokens, refresh rotation and logins.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use argon2::{Algorithm, Argon2, Params, Version};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{CROWD, PASSWORD, Registry, call};
use crate::cases::{self, Plan};
use crate::load::{self, Outcome, Shot};
use crate::report::Report;

const REFRESH: &str = "/api/v1/auth/refresh";
const LOGIN: &str = "/api/v1/auth/login";
/// Most memory in a flood of logins, in MiB.
const FLOOD_MEMORY: f64 = 200.0;

pub(super) async fn run(plan: &Plan, registry: &Registry, report: &mut Report) -> anyhow::Result<()> {
    satellite_tokens(plan, registry, report).await?;
    let mut sessions = Vec::new();
    for number in 0..CROWD {
        let made = registry.register(&format!("bench-session-{number}")).await?;
        sessions.push(made["refresh_token"].as_str().context("no refresh token")?.to_owned());
    }
    let few = rotate(registry, &mut sessions[..plan.connections], plan.seconds).await?;
    report.note("refresh rotation", few.describe());
    report.at_least_per_second("refresh rotation, durable", few.rate(), 1500.0);
    let many = rotate(registry, &mut sessions, plan.seconds).await?;
    report.note(&format!("refresh rotation: {CROWD} clients, no error"), many.describe());
    Ok(())
}

async fn satellite_tokens(plan: &Plan, registry: &Registry, report: &mut Report) -> anyhow::Result<()> {
    let made = registry.register("bench-minter").await?;
    let token = made["access_token"].as_str().context("no access token")?;
    let shot = Shot::get("/api/v1/token?aud=user7").with_bearer(token);
    let minted = load::run(registry.hub.addr, &shot, plan.connections, plan.seconds).await?;
    let seconds = plan.seconds;
    let raw = tokio::task::spawn_blocking(move || cases::tokens::raw_rate(seconds)).await??;
    report.note("satellite tokens", minted.describe());
    report.at_least("satellite tokens / raw signing rate", 100.0 * minted.rate() / raw, 60.0);
    let crowd = load::run(registry.hub.addr, &shot, CROWD, plan.seconds).await?;
    report.note(&format!("satellite tokens: {CROWD} clients, no error"), crowd.describe());
    Ok(())
}

/// Each session refreshes as fast as it can, always with the newest token.
async fn rotate(registry: &Registry, sessions: &mut [String], length: Duration) -> anyhow::Result<Outcome> {
    let (addr, started) = (registry.hub.addr, Instant::now());
    let mut tasks = JoinSet::new();
    for (place, token) in sessions.iter().cloned().enumerate() {
        tasks.spawn(async move {
            let (mut sender, mut token, mut latencies) = (load::connect(addr).await?, token, Vec::new());
            while started.elapsed() < length {
                let begun = Instant::now();
                let shot = Shot::post_json(REFRESH, &json!({"refresh_token": token}));
                let pair: Value = serde_json::from_slice(&load::send(&mut sender, &shot).await?)?;
                pair["refresh_token"].as_str().context("no refresh token")?.clone_into(&mut token);
                latencies.push(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX));
            }
            Ok::<_, anyhow::Error>((place, token, latencies))
        });
    }
    let mut all = Vec::new();
    while let Some(done) = tasks.join_next().await {
        let (place, token, latencies) = done??;
        sessions[place] = token;
        all.extend(latencies);
    }
    Ok(Outcome::new(all, started.elapsed()))
}

/// Logins alone against raw hashing, then a flood of them beside other traffic.
pub(super) async fn logins(plan: &Plan, registry: &Registry, report: &mut Report) -> anyhow::Result<()> {
    registry.register("bench-login").await?;
    let login = Shot::post_form(LOGIN, &format!("username=bench-login&password={PASSWORD}"));
    call(registry.hub.addr, &login).await?;
    let length = plan.seconds * 2;
    let served = load::run(registry.hub.addr, &login, plan.connections, length).await?;
    let raw = tokio::task::spawn_blocking(move || raw_hashing(length)).await??;
    report.note("logins", served.describe());
    report.note("raw Argon2id, with as many threads", format!("{raw:.1}/s"));
    report.at_least("logins / raw hashing", 100.0 * served.rate() / raw, 85.0);
    flood(plan, registry, report, &login).await
}

/// Hashes per second with the threads that a hub takes: it leaves one core to everything else.
fn raw_hashing(length: Duration) -> anyhow::Result<f64> {
    let params = Params::new(65_536, 3, 4, None).map_err(|error| anyhow::anyhow!("{error}"))?;
    let started = Instant::now();
    let threads =
        std::thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1)).clamp(1, 4);
    let hash = || {
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let (mut count, mut out) = (0_u32, [0; 32]);
        while started.elapsed() < length {
            if argon2.hash_password_into(PASSWORD.as_bytes(), b"0123456789abcdef", &mut out).is_ok() {
                count += 1;
            }
        }
        count
    };
    let count: u32 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(hash)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(0)).sum()
    });
    Ok(f64::from(count) / started.elapsed().as_secs_f64())
}

async fn flood(plan: &Plan, registry: &Registry, report: &mut Report, login: &Shot) -> anyhow::Result<()> {
    let addr = registry.hub.addr;
    let read = [Shot::get("/api/v1/endpoints/public/user7/endpoint-3")];
    let most = load::run_all(addr, &read, plan.connections, plan.seconds).await?.rate();
    let calm = load::paced(addr, &read, most / 10.0, plan.connections, plan.seconds).await?;
    let until = Instant::now() + plan.seconds + Duration::from_millis(500);
    let mut attackers = JoinSet::new();
    for _ in 0..64 {
        let login = login.clone();
        attackers.spawn(async move {
            let mut sender = load::connect(addr).await?;
            while Instant::now() < until {
                load::exchange(&mut sender, &login, None).await?; // refused or not
            }
            Ok::<_, anyhow::Error>(())
        });
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let flooded = load::paced(addr, &read, most / 10.0, plan.connections, plan.seconds).await?;
    while let Some(done) = attackers.join_next().await {
        done??;
    }
    report.note("a tenth of the most reads: calm", calm.describe());
    report.note("a tenth of the most reads: in a flood of logins", flooded.describe());
    let goal = (2.0 * calm.quantile_ms(0.99)).max(10.0);
    report.at_most("reads in a flood of logins: p99", flooded.quantile_ms(0.99), goal, "ms");
    report.at_most("backend, most memory in the flood", registry.hub.peak_mib()?, FLOOD_MEMORY, "MiB");
    Ok(())
}
