//! A hub in one process with as many nodes as there are publishers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::Publisher;
use crate::http::Request;
use crate::process::{Service, free_port};
use crate::workspace::{self, Profile};

const READY: Duration = Duration::from_secs(90);

pub(super) struct Hub {
    nodes: Vec<Service>,
    _process: Service,
    address: String,
    folder: PathBuf,
    /// Access token of the one who asks.
    token: String,
    /// The endpoints by owner: data source and model.
    sources: Vec<(String, Value)>,
    model: Value,
}

impl Hub {
    pub(super) fn start(folder: &Path) -> Result<Self> {
        let port = free_port()?;
        let address = format!("127.0.0.1:{port}");
        let mut command = program()?;
        command.args(["serve", "--no-demo", "--listen", &address]).arg("--data-dir").arg(folder.join("data"));
        command
            .env("RATE_LIMIT_ENABLED", "false")
            .env("METRICS_LISTEN", "127.0.0.1:0")
            .env("LOG_LEVEL", "warning");
        let mut hub = Service::start("hub", command, folder)?;
        hub.wait_at(port, READY, || {
            Request::new("GET", "/health/ready").send(&address).is_ok_and(|answer| answer.status == 200)
        })?;
        let token = register(&address, "reader")?;
        let folder = folder.to_owned();
        Ok(Self {
            nodes: Vec::new(),
            _process: hub,
            address,
            folder,
            token,
            sources: Vec::new(),
            model: Value::Null,
        })
    }

    /// Registers a publisher and starts a node for the folder; returns when it is listed.
    pub(super) fn publish(&mut self, publisher: &Publisher) -> Result<()> {
        let name = publisher.name.as_str();
        let token_file = self.folder.join(format!("{name}.token"));
        fs::write(&token_file, mint(&self.address, &register(&self.address, name)?)?)?;
        let listen = format!("127.0.0.1:{}", free_port()?);
        let mut command = program()?;
        command.args(["node", "--hub", &format!("http://{}", self.address), "--listen", &listen]);
        command
            .args(["--name", name, "--slug", "papers", "--model", "extract"])
            .arg("--token-file")
            .arg(token_file);
        command
            .arg("--docs")
            .arg(&publisher.folder)
            .arg("--state-dir")
            .arg(self.folder.join(format!("{name}.state")));
        let mut node = Service::start(&format!("node-{name}"), command, &self.folder)?;
        let model = format!("/api/v1/endpoints/public/{name}/papers-model");
        let address = self.address.clone();
        node.wait_until(READY, || Request::new("GET", &model).send(&address).is_ok_and(|a| a.status == 200))
            .context("the node did not publish")?;
        self.nodes.push(node);
        let reference =
            |slug: &str| json!({"url": format!("http://{listen}"), "slug": slug, "owner_username": name});
        self.sources.push((name.to_owned(), reference("papers")));
        self.model = reference("papers-model");
        Ok(())
    }

    /// The hub's answer, from all papers of these publishers.
    pub(super) fn ask(&self, question: &str, publishers: &[String]) -> Result<Value> {
        let of_these = self.sources.iter().filter(|(owner, _)| publishers.contains(owner));
        let sources: Vec<&Value> = of_these.map(|(_, reference)| reference).collect();
        let body = json!({"prompt": question, "model": self.model, "data_sources": sources, "top_k": 5, "similarity_threshold": 0.0});
        let request = Request::post("/aggregator/api/v1/chat", &body).bearer(&self.token);
        request.send(&self.address)?.expect(200).with_context(|| format!("asked: {question}"))?.json()
    }
}

fn program() -> Result<Command> {
    let mut command = Command::new(workspace::binary(Profile::Dev, "syfthub")?);
    // Only what is set here: nothing of the user's own environment leaks in.
    command.env_clear();
    Ok(command)
}

fn register(address: &str, name: &str) -> Result<String> {
    let body = json!({
        "username": name, "email": format!("{name}@example.org"), "full_name": name, "password": "Correct-horse-9-battery",
    });
    let answer = Request::post("/api/v1/auth/register", &body).send(address)?.expect(201)?.json()?;
    answer["access_token"].as_str().map(str::to_owned).context("register gave no token")
}

fn mint(address: &str, access: &str) -> Result<String> {
    let body = json!({"name": "node", "scopes": ["full"]});
    let answer =
        Request::post("/api/v1/auth/tokens", &body).bearer(access).send(address)?.expect(201)?.json()?;
    answer["token"].as_str().map(str::to_owned).context("no token in the answer")
}
