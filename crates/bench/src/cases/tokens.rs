//! Guest satellite tokens against the machine's raw signing rate.

use std::thread;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use tempfile::TempDir;

use super::Plan;
use crate::load::{self, Shot};
use crate::report::Report;
use crate::seed;

/// `GET /api/v1/token/guest` over HTTP against `KeyPair::sign` in a loop on every core.
pub(super) async fn run(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let data = TempDir::new()?;
    let hub = plan.hub(data.path()).await?;
    seed::endpoints(hub.addr, 1).await?;
    let shot = Shot::get("/api/v1/token/guest?aud=bench");
    let minted = load::run(hub.addr, &shot, plan.connections, plan.seconds).await?;
    hub.stop().await?;
    let seconds = plan.seconds;
    let raw = tokio::task::spawn_blocking(move || raw_rate(seconds)).await??;
    report.note("guest tokens over HTTP", minted.describe());
    report.note("raw RSA-2048 signatures, all cores", format!("{raw:.0}/s"));
    report.at_least("guest tokens / raw signing rate", 100.0 * minted.rate() / raw, 60.0);
    Ok(())
}

pub(crate) fn raw_rate(length: Duration) -> anyhow::Result<f64> {
    let key = KeyPair::generate(KeySize::Rsa2048)?;
    let started = Instant::now();
    let counts: Vec<u64> = thread::scope(|scope| {
        let workers: Vec<_> = (0..thread::available_parallelism().map_or(1, std::num::NonZero::get))
            .map(|_| scope.spawn(|| sign_until(&key, started + length)))
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or(0)).collect()
    });
    Ok(counts.iter().sum::<u64>() as f64 / started.elapsed().as_secs_f64())
}

fn sign_until(key: &KeyPair, until: Instant) -> u64 {
    let rng = SystemRandom::new();
    let mut signature = vec![0; key.public_modulus_len()];
    let mut count = 0;
    while Instant::now() < until {
        if key.sign(&RSA_PKCS1_SHA256, &rng, b"header.claims", &mut signature).is_ok() {
            count += 1;
        }
    }
    count
}
