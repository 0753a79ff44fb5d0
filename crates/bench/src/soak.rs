//! Kills a hub again and again while it is written to, and checks that nothing acknowledged is lost and
//! nothing happened twice.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rand::RngExt as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::cases::Plan;
use crate::load::{self, Shot};
use crate::seed;

/// Writers at the same time.
const WRITERS: usize = 4;
/// Largest page of the listing.
const PAGE: usize = 100;

/// An account of one round, and what was acknowledged to it. A round has its own, because the number of
/// endpoints of an account is limited.
struct Account {
    token: String,
    ledger: Ledger,
}

/// Rounds of start, check, write, kill until `length` is over; at the end every round is checked again.
pub(crate) async fn run(plan: &Plan, length: Duration) -> anyhow::Result<()> {
    let data = TempDir::new()?;
    let until = Instant::now() + length;
    let mut accounts: Vec<Account> = Vec::new();
    let mut recoveries = Vec::new();
    while Instant::now() < until {
        let hub = plan.hub(data.path()).await.context("the hub does not come back")?;
        recoveries.push(hub.ready_after);
        if let Some(last) = accounts.last() {
            check(hub.addr, last).await?;
        }
        let round = accounts.len();
        let token = seed::access_token(hub.addr, &format!("soak{round}")).await?;
        let account = Account { token, ledger: Ledger::default() };
        let pause = Duration::from_millis(rand::rng().random_range(20..1500));
        let writers = start_writers(hub.addr, &account);
        tokio::time::sleep(pause).await;
        hub.stop().await?;
        writers.join_all().await;
        writeln!(io::stderr(), "round {round}: {} writes acknowledged", count(&account.ledger))?;
        accounts.push(account);
    }
    let hub = plan.hub(data.path()).await?;
    for account in &accounts {
        check(hub.addr, account).await?;
    }
    hub.stop().await?;
    summarise(&mut recoveries, accounts.iter().map(|account| count(&account.ledger)).sum())
}

type Ledger = Arc<Mutex<HashSet<String>>>;

fn count(ledger: &Ledger) -> usize {
    ledger.lock().unwrap_or_else(PoisonError::into_inner).len()
}

/// Each writer creates endpoints until the hub is gone; what was answered with 201 goes into the ledger.
fn start_writers(addr: SocketAddr, account: &Account) -> JoinSet<()> {
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (token, ledger) = (account.token.clone(), Arc::clone(&account.ledger));
        writers.spawn(async move {
            let Ok(mut sender) = load::connect(addr).await else { return };
            for number in 0.. {
                let slug = format!("w{writer}-n{number}");
                let body = json!({ "name": slug, "slug": slug, "type": "model" });
                let shot = Shot::post_json("/api/v1/endpoints", &body);
                match load::exchange(&mut sender, &shot, Some(&token)).await {
                    Ok((status, _)) if status.as_u16() == 201 => {
                        ledger.lock().unwrap_or_else(PoisonError::into_inner).insert(slug);
                    }
                    // The connection broke: the write may or may not have happened, both are right.
                    _ => return,
                }
            }
        });
    }
    writers
}

async fn check(addr: SocketAddr, account: &Account) -> anyhow::Result<()> {
    let Account { token, ledger } = account;
    let mut sender = load::connect(addr).await?;
    let mut seen: HashMap<String, usize> = HashMap::new();
    for skip in (0..).step_by(PAGE) {
        let shot = Shot::get(&format!("/api/v1/endpoints?skip={skip}&limit={PAGE}"));
        let (status, body) = load::exchange(&mut sender, &shot, Some(token)).await?;
        ensure!(status.is_success(), "listing answered {status}");
        let page: Vec<Value> = serde_json::from_slice(&body)?;
        for endpoint in &page {
            *seen.entry(endpoint["slug"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
        if page.len() < PAGE {
            break;
        }
    }
    let ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
    let lost: Vec<&String> = ledger.iter().filter(|slug| !seen.contains_key(*slug)).collect();
    ensure!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    let twice: Vec<_> = seen.iter().filter(|(_, times)| **times > 1).collect();
    ensure!(twice.is_empty(), "there more than once: {twice:?}");
    Ok(())
}

fn summarise(recoveries: &mut [Duration], writes: usize) -> anyhow::Result<()> {
    recoveries.sort_unstable();
    let at = |share: usize| {
        recoveries.get((recoveries.len().saturating_sub(1)) * share / 100).copied().unwrap_or_default()
    };
    writeln!(
        io::stdout(),
        "{} kills, {writes} acknowledged writes, none lost, none twice; start to ready p50 {:?}, p99 {:?}",
        recoveries.len(),
        at(50),
        at(99)
    )?;
    Ok(())
}
