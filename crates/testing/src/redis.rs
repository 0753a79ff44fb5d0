//! A private Redis on a free port of the loopback interface, without persistence.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

use crate::process::Server;
use crate::wait;

/// A Redis server for one test; it ends with the test process, or when dropped.
#[derive(Debug)]
pub struct RedisServer {
    /// `redis://127.0.0.1:PORT/0`.
    pub url: String,
    address: SocketAddr,
    folder: PathBuf,
    server: Mutex<Option<Server>>,
}

/// Starts a server of one's own.
pub async fn private() -> RedisServer {
    let folder = tempfile::Builder::new()
        .prefix("syfthub-redis-")
        .tempdir()
        .expect("cannot create a temporary folder")
        .keep();
    let address = free_address().await;
    let server =
        RedisServer { url: format!("redis://{address}/0"), address, folder, server: Mutex::new(None) };
    server.start().await;
    server
}

impl RedisServer {
    /// Starts a stopped server on its old port, empty, and waits until it answers.
    pub async fn start(&self) {
        assert!(
            std::process::Command::new("redis-server").arg("--version").output().is_ok(),
            "Redis is not installed: run `apt-get install redis-server`"
        );
        let port = self.address.port().to_string();
        let folder = self.folder.display().to_string();
        let command =
            ["redis-server", "--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no"];
        let command = command.into_iter().chain(["--dir", &folder]).map(str::to_owned).collect::<Vec<_>>();
        *self.server.lock().await = Some(Server::start(&self.folder, &command));
        wait::until(async || self.answers().await.unwrap_or(false), "Redis to start").await;
    }

    /// Stops the server; its connections break and its data is gone.
    pub async fn stop(&self) {
        if let Some(server) = self.server.lock().await.take() {
            server.stop().await;
        }
    }

    async fn answers(&self) -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(b"PING\r\n").await?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await?;
        Ok(&answer == b"+PONG")
    }
}

async fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("no free port");
    listener.local_addr().expect("a bound socket has an address")
}
