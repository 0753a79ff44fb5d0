//! Fills a hub through its own API.

use std::net::SocketAddr;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::load::{self, Sender, Shot};

/// Registers an account and returns its hub token.
async fn register(sender: &mut Sender, name: &str) -> anyhow::Result<String> {
    let user = json!({
        "username": name, "email": format!("{name}@example.com"), "full_name": name, "password": "benchmark-1",
    });
    let (status, body) =
        load::exchange(sender, &Shot::post_json("/api/v1/auth/register", &user), None).await?;
    anyhow::ensure!(status.as_u16() == 201, "register answered {status}: {}", String::from_utf8_lossy(&body));
    let registered: Value = serde_json::from_slice(&body)?;
    Ok(registered["access_token"].as_str().context("no access token")?.to_owned())
}

/// Registers an account and returns a personal access token of it, which does not expire during a run.
pub(crate) async fn access_token(addr: SocketAddr, name: &str) -> anyhow::Result<String> {
    let mut sender = load::connect(addr).await?;
    let token = register(&mut sender, name).await?;
    let shot = Shot::post_json("/api/v1/auth/tokens", &json!({ "name": "soak" }));
    let (status, body) = load::exchange(&mut sender, &shot, Some(&token)).await?;
    anyhow::ensure!(status.as_u16() == 201, "tokens answered {status}: {}", String::from_utf8_lossy(&body));
    let created: Value = serde_json::from_slice(&body)?;
    Ok(created["token"].as_str().context("no token")?.to_owned())
}

/// Registers `bench` and creates `count` public endpoints of it.
pub(crate) async fn endpoints(addr: SocketAddr, count: usize) -> anyhow::Result<()> {
    let mut sender = load::connect(addr).await?;
    let token = register(&mut sender, "bench").await?;
    for number in 0..count {
        let endpoint = json!({
            "name": format!("Endpoint {number}"), "type": "data_source", "description": "One of many.",
            "tags": ["bench"], "connect": [{ "type": "http", "config": { "url": "http://127.0.0.1:9" } }],
        });
        let shot = Shot::post_json("/api/v1/endpoints", &endpoint);
        let (status, body) = load::exchange(&mut sender, &shot, Some(&token)).await?;
        anyhow::ensure!(
            status.as_u16() == 201,
            "create answered {status}: {}",
            String::from_utf8_lossy(&body)
        );
    }
    Ok(())
}
