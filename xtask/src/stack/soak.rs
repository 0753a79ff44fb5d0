//! `make soak`: half the time one process on SQLite is killed again and again while it is written to (a
//! command of the bench), half the time members of the stack are killed at random under load. What was
//! acknowledged has to be there after. Then as long again chats at half of what is possible (a command of the bench
//! too), of which nothing may stay behind.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::json;

use super::Stack;
use super::members::Member;
use crate::databases::random_hex;
use crate::http::Request;
use crate::process::{eventually, free_port};
use crate::workspace::{self, BINARIES, Profile};
use crate::{bench, interrupt, provision};

/// Clients that write, and clients that read.
const WRITERS: usize = 2;
const READERS: usize = 2;
/// Between two kills the stack works undisturbed for this long.
const PAUSE: Duration = Duration::from_secs(3);

/// What the clients saw.
#[derive(Default)]
struct Seen {
    written: Mutex<Vec<String>>,
    refused: AtomicU64,
    reads: AtomicU64,
    failed_reads: AtomicU64,
    number: AtomicU64,
    stop: AtomicBool,
}

/// What is soaked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// Services are killed.
    Kills,
    /// Nothing is killed; chats, for memory and streams that stay behind.
    Chats,
}

/// Runs for some minutes, prints what happened, and tells whether all was well.
pub(crate) fn run(minutes: u64, only: Option<Part>) -> Result<bool> {
    if only != Some(Part::Chats) {
        provision::for_the_stack()?;
    }
    let packages: Vec<&str> = BINARIES.iter().copied().chain(["syfthub-bench"]).collect();
    workspace::build(Profile::Quick, &packages)?;
    let kept = only == Some(Part::Chats) || kills(minutes)?;
    if only != Some(Part::Kills) {
        println!("soak: chats, {minutes} minutes");
        bench::program(Profile::Quick, &["chats".to_owned(), "--minutes".to_owned(), minutes.to_string()])?;
    }
    Ok(kept)
}

/// Tells whether nothing was lost.
fn kills(minutes: u64) -> Result<bool> {
    let half = (minutes / 2).max(1);
    println!("soak: one process, {half} minutes");
    bench::program(Profile::Quick, &["soak".to_owned(), "--minutes".to_owned(), half.to_string()])?;
    println!("soak: the stack, {half} minutes");
    let mut stack = Stack::start(Profile::Quick, free_port()?)?;
    let (access, _) = stack.register("soak", "soak@example.org")?;
    let token = stack.mint(&access)?;
    let address = stack.address.clone();
    let seen = Seen::default();
    let recoveries = thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| write(&address, &token, &seen));
        }
        for _ in 0..READERS {
            scope.spawn(|| read(&address, &seen));
        }
        let outcome = kill_again_and_again(&mut stack, Duration::from_mins(half));
        seen.stop.store(true, Ordering::Relaxed);
        outcome
    })?;
    let lost = lost(&address, &token, &seen)?;
    report(&recoveries, &seen, &lost);
    Ok(lost.is_empty())
}

/// Kills one thing after another; returns how long each took until it answered through the proxy again.
fn kill_again_and_again(stack: &mut Stack, length: Duration) -> Result<Vec<(&'static str, Duration)>> {
    let (start, mut recoveries) = (Instant::now(), Vec::new());
    while start.elapsed() < length {
        interrupt::check()?;
        let victim = u8::from_str_radix(&random_hex(1)?, 16)? % 4;
        let killed = Instant::now();
        let (name, path) = match victim {
            0 => ("backend", "/health"),
            1 => ("aggregator", "/aggregator/health"),
            2 => ("mcp", "/mcp/health"),
            _ => ("redis", "/health/ready"),
        };
        match victim {
            0 => stack.crash(Member::Backend)?,
            1 => stack.crash(Member::Aggregator)?,
            2 => stack.crash(Member::Mcp)?,
            _ => {
                stack.redis.kill();
                stack.redis.restart()?;
            }
        }
        let address = stack.address.clone();
        eventually(name, Duration::from_secs(30), || {
            Request::new("GET", path).send(&address).is_ok_and(|answer| answer.status == 200)
        })?;
        recoveries.push((name, killed.elapsed()));
        println!("soak: killed {name}, back after {} ms", killed.elapsed().as_millis());
        thread::sleep(PAUSE);
    }
    Ok(recoveries)
}

fn write(address: &str, token: &str, seen: &Seen) {
    while !seen.stop.load(Ordering::Relaxed) {
        let slug = format!("soak-{:06}", seen.number.fetch_add(1, Ordering::Relaxed));
        let body = json!({"name": slug, "slug": slug, "type": "model", "visibility": "private"});
        let answer = Request::post("/api/v1/endpoints", &body).bearer(token).send(address);
        if answer.is_ok_and(|answer| answer.status == 201) {
            seen.written.lock().unwrap_or_else(PoisonError::into_inner).push(slug);
        } else {
            seen.refused.fetch_add(1, Ordering::Relaxed);
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn read(address: &str, seen: &Seen) {
    while !seen.stop.load(Ordering::Relaxed) {
        let answer = Request::new("GET", "/api/v1/endpoints/public").send(address);
        let counter = if answer.is_ok_and(|a| a.status == 200) { &seen.reads } else { &seen.failed_reads };
        counter.fetch_add(1, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(10));
    }
}

/// What was acknowledged and is not there.
fn lost(address: &str, token: &str, seen: &Seen) -> Result<Vec<String>> {
    let written = seen.written.lock().unwrap_or_else(PoisonError::into_inner);
    let mut lost = Vec::new();
    for slug in written.iter() {
        let request =
            Request::new("GET", format!("/soak/{slug}")).bearer(token).header("Accept", "application/json");
        let answer = request.send(address).context("the stack does not answer at the end")?;
        if answer.status != 200 {
            lost.push(slug.clone());
        }
    }
    Ok(lost)
}

fn report(recoveries: &[(&'static str, Duration)], seen: &Seen, lost: &[String]) {
    let mut times: Vec<Duration> = recoveries.iter().map(|(_, time)| *time).collect();
    times.sort();
    let at = |percent: usize| {
        times
            .get((times.len() * percent / 100).min(times.len().saturating_sub(1)))
            .map_or(0, Duration::as_millis)
    };
    let written = seen.written.lock().unwrap_or_else(PoisonError::into_inner).len();
    println!("kills                {}", recoveries.len());
    println!("recovery             p50 {} ms, p99 {} ms", at(50), at(99));
    println!("acknowledged writes  {written}, lost {}", lost.len());
    println!("refused writes       {}", seen.refused.load(Ordering::Relaxed));
    println!(
        "reads                {}, failed {}",
        seen.reads.load(Ordering::Relaxed),
        seen.failed_reads.load(Ordering::Relaxed)
    );
    for slug in lost.iter().take(10) {
        println!("LOST {slug}");
    }
}
