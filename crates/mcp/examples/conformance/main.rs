//! A server for the official conformance suite: the tools, resources and prompts that its scenarios name, on the
//! transport of the hub's own MCP endpoint. Only tests start it; it is no part of the product.
#![expect(deprecated, reason = "the suite also tests what the present era has deprecated")]

mod asking;
mod catalogue;
mod content;
mod prompts;
mod resources;
mod rounds;
mod server;
mod tools;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use axum::routing::get;
use clap::Parser;
use syfthub_config::Settings;
use syfthub_mcp::Transport;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves the fixtures of the MCP conformance suite on loopback, without authorization.
#[derive(Debug, Parser)]
struct Options {
    /// The port.
    #[arg(long)]
    port: u16,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    // Nothing of the folder is read or written.
    let settings = Settings::for_tests(Path::new("."));
    let transport = Transport::new(&settings.mcp, CancellationToken::new());
    let router =
        transport.with_sessions(server::Fixture::default()).route("/health", get(|| async { "ready" }));
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    axum::serve(TcpListener::bind(address).await?, router).await?;
    Ok(())
}
