//! Listings, single endpoints, the caller, search.

use std::time::Duration;

use anyhow::Context as _;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;

use super::{CROWD, Registry, bare, call, seed};
use crate::cases::Plan;
use crate::load::{self, Outcome, Shot};
use crate::process::Server;
use crate::report::Report;

pub(super) async fn run(plan: &Plan, registry: &Registry, report: &mut Report) -> anyhow::Result<()> {
    let owner = |number: usize| format!("user{}", 1 + number * 37 % 10_000);
    let owners: Vec<Shot> = (0..200)
        .map(|n| Shot::get(&format!("/api/v1/endpoints/public/by-owner/{}?limit=20", owner(n))))
        .collect();
    let bare_owners: Vec<Shot> = (0..200).map(|n| Shot::get(&format!("/owner/{}", owner(n)))).collect();
    let ones: Vec<Shot> = (0..200)
        .map(|n| Shot::get(&format!("/api/v1/endpoints/public/{}/endpoint-{}", owner(n), n % 10)))
        .collect();
    let bare_ones: Vec<Shot> =
        (0..200).map(|n| Shot::get(&format!("/one/{}/endpoint-{}", owner(n), n % 10))).collect();
    let listing = [Shot::get("/api/v1/endpoints/public?limit=20")];
    let pairs = [
        ("listing of 20", &listing[..], &[Shot::get("/listing")][..]),
        ("page of an owner", &owners[..], &bare_owners[..]),
        ("one endpoint", &ones[..], &bare_ones[..]),
    ];
    for (name, ours, theirs) in pairs {
        let hub = compare(plan, registry, report, name, ours, theirs, 50.0).await?;
        let half =
            load::paced(registry.hub.addr, ours, hub.rate() / 2.0, plan.connections, plan.seconds).await?;
        report.at_most(&format!("{name}: p99 at half load"), half.quantile_ms(0.99), 5.0, "ms");
        crowd(registry, report, name, ours, plan.seconds).await?;
    }
    callers(plan, registry, report).await?;
    search(plan, registry, report).await
}

async fn shoot(plan: &Plan, server: &Server, shots: &[Shot]) -> anyhow::Result<Outcome> {
    load::run_all(server.addr, shots, plan.connections, plan.seconds).await
}

async fn compare(
    plan: &Plan,
    registry: &Registry,
    report: &mut Report,
    name: &str,
    ours: &[Shot],
    theirs: &[Shot],
    goal: f64,
) -> anyhow::Result<Outcome> {
    let bare = shoot(plan, &registry.bare, theirs).await?;
    let hub = shoot(plan, &registry.hub, ours).await?;
    report.note(&format!("{name}: hub"), hub.describe());
    report.note(&format!("{name}: bare"), bare.describe());
    report.at_least(&format!("{name}: hub / bare"), 100.0 * hub.rate() / bare.rate(), goal);
    Ok(hub)
}

/// Any refusal or failure ends the run, so a figure here means that there was none.
async fn crowd(
    registry: &Registry,
    report: &mut Report,
    name: &str,
    shots: &[Shot],
    length: Duration,
) -> anyhow::Result<()> {
    let crowd = load::run_all(registry.hub.addr, shots, CROWD, length).await?;
    report.note(&format!("{name}: {CROWD} clients, no error"), crowd.describe());
    Ok(())
}

async fn callers(plan: &Plan, registry: &Registry, report: &mut Report) -> anyhow::Result<()> {
    let made = registry.register("bench-caller").await?;
    let token = made["access_token"].as_str().context("no access token")?;
    let claims = json!({"sub": made["user"]["id"].to_string(), "exp": 4_000_000_000_u64});
    let theirs = jsonwebtoken::encode(
        &Header::new(Algorithm::HS256),
        &claims,
        &EncodingKey::from_secret(bare::JWT_KEY),
    )?;
    let me = |token: &str| [Shot::get("/api/v1/auth/me").with_bearer(token)];
    let bare_me = [Shot::get("/me").with_bearer(&theirs)];
    compare(plan, registry, report, "auth/me with a hub token", &me(token), &bare_me, 60.0).await?;
    crowd(registry, report, "auth/me", &me(token), plan.seconds).await?;
    let create = Shot::post_json("/api/v1/auth/tokens", &json!({"name": "bench"})).with_bearer(token);
    let created = call(registry.hub.addr, &create).await?;
    let access = created["token"].as_str().context("no token")?;
    let bare_me = [Shot::get("/me-by-token").with_bearer(access)];
    compare(plan, registry, report, "auth/me with an access token", &me(access), &bare_me, 50.0).await?;
    Ok(())
}

async fn search(plan: &Plan, registry: &Registry, report: &mut Report) -> anyhow::Result<()> {
    let queries = seed::queries(&registry.names);
    let shots: Vec<Shot> = queries
        .iter()
        .map(|query| Shot::post_json("/api/v1/endpoints/search", &json!({"query": query, "top_k": 10})))
        .collect();
    let alone = load::run_all(registry.hub.addr, &shots, 1, plan.seconds * 2).await?;
    report.note("search in 100,000 endpoints, one at a time", alone.describe());
    report.at_most("search: p50", alone.quantile_ms(0.5), 3.0, "ms");
    report.at_most("search: p99", alone.quantile_ms(0.99), 15.0, "ms");
    crowd(registry, report, "search", &shots, plan.seconds).await
}
