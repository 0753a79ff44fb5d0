//! The three services behind nginx with PostgreSQL and Redis, all on loopback, all ours, all gone at
//! the end. `make stack` shows it to a person, the stack tests drive the same from outside.

mod held_model;
mod members;
pub(crate) mod soak;
pub(crate) mod tests;

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use tempfile::TempDir;

use crate::databases::{Postgres, Redis, random_hex};
use crate::http::Request;
use crate::process::{Service, free_port};
use crate::workspace::{self, BINARIES, Profile};
use crate::{interrupt, provision, run};

use members::Member;

/// Longest that anything may take to become ready.
const READY: Duration = Duration::from_secs(90);
/// The database that the services share.
pub(crate) const DATABASE: &str = "syfthub";

/// Everything that is running. The order of the fields is the order of stopping.
pub(crate) struct Stack {
    node: Option<Service>,
    nginx: Service,
    mcp: Service,
    aggregator: Service,
    backend: Service,
    pub(crate) redis: Redis,
    pub(crate) postgres: Postgres,
    /// `127.0.0.1:PORT` of the proxy.
    pub(crate) address: String,
    ports: members::Ports,
    settings: members::Settings,
    profile: Profile,
    /// Personal access token of the user that the node publishes for.
    pub(crate) token: String,
    folder: TempDir,
}

/// Builds, starts, waits until somebody ends it, stops.
pub(crate) fn run(port: u16) -> Result<()> {
    provision::for_the_stack()?;
    run::need_compiler()?;
    println!("building the services; the first time takes {}, later seconds", run::estimate(1));
    workspace::build(Profile::Quick, BINARIES)?;
    run::link(&workspace::binary(Profile::Quick, "syfthub")?)?;
    println!("starting PostgreSQL, Redis, backend, aggregator, mcp and nginx");
    let mut stack = Stack::start(Profile::Quick, port)?;
    println!("publishing docs/ and the extract model with a node");
    stack.publish(Profile::Quick)?;
    println!("\nthe stack is at http://localhost:{port}");
    println!("  ask it:  bin/syfthub ask \"How do I restore a backup?\" --hub http://localhost:{port}");
    println!("  logs:    {}", stack.folder.path().display());
    println!("Ctrl-C ends it");
    let broken = loop {
        if interrupt::requested() {
            break None;
        }
        if let Some(name) = stack.broken() {
            break Some(name);
        }
        thread::sleep(Duration::from_millis(100));
    };
    println!("\nstopping");
    stack.stop();
    match broken {
        None => Ok(()),
        Some(words) => bail!(words),
    }
}

impl Stack {
    /// Starts everything but the node and waits until the proxy says that the backend is ready.
    pub(crate) fn start(profile: Profile, port: u16) -> Result<Self> {
        Self::start_with(profile, port, Vec::new())
    }

    /// The same with settings besides.
    pub(crate) fn start_with(profile: Profile, port: u16, more: Vec<(&'static str, String)>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("syfthub-stack-").tempdir()?;
        let ports = members::Ports::choose(port)?;
        let postgres = Postgres::start()?;
        postgres.create(DATABASE)?;
        let redis = Redis::start(&random_hex(16)?)?;
        let settings = members::Settings {
            secret: random_hex(32)?,
            database: postgres.url(DATABASE),
            redis: redis.url(),
            address: format!("http://localhost:{port}"),
            more,
        };
        let start = |member| members::start(member, profile, folder.path(), ports, &settings);
        let backend = start(Member::Backend)?;
        let aggregator = start(Member::Aggregator)?;
        let mcp = start(Member::Mcp)?;
        let nginx = members::start_nginx(folder.path(), ports)?;
        let address = format!("127.0.0.1:{port}");
        Ok(Self {
            node: None,
            nginx,
            mcp,
            aggregator,
            backend,
            redis,
            postgres,
            address,
            ports,
            settings,
            profile,
            token: String::new(),
            folder,
        })
    }

    /// The settings of the backend, for commands on its data.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        members::environment(Member::Backend, self.ports, &self.settings)
    }

    /// Registers a user through the public API, mints a personal access token and starts a node that
    /// publishes this repository's documentation and the built-in model.
    pub(crate) fn publish(&mut self, profile: Profile) -> Result<()> {
        let (access, _) = self.register("librarian", "librarian@example.org")?;
        self.token = self.mint(&access)?;
        let file = self.folder.path().join("node-token");
        std::fs::write(&file, &self.token)?;
        let mut node = std::process::Command::new(workspace::binary(profile, "syfthub")?);
        node.args(["node", "--hub", &format!("http://{}", self.address), "--name", "SyftHub documentation"]);
        node.arg("--token-file").arg(&file).args(["--slug", "documentation", "--model", "extract"]);
        node.arg("--docs").arg(workspace::root().join("docs"));
        node.args(["--listen", &format!("127.0.0.1:{}", free_port()?)]);
        node.arg("--state-dir").arg(self.folder.path().join("node"));
        let mut node = Service::start("node", node, self.folder.path())?;
        let address = self.address.clone();
        let listed = || {
            let answer = Request::new("GET", "/api/v1/endpoints/public").send(&address);
            answer.is_ok_and(|a| a.body.contains("\"model\"") && a.body.contains("\"data_source\""))
        };
        node.wait_until(READY, listed).context("the node did not publish")?;
        self.node = Some(node);
        Ok(())
    }

    /// Registers a user; returns the access and the refresh token.
    pub(crate) fn register(&self, username: &str, email: &str) -> Result<(String, String)> {
        let body = json!({
            "username": username, "email": email, "full_name": username, "password": "Correct-horse-9-battery",
        });
        let answer =
            Request::post("/api/v1/auth/register", &body).send(&self.address)?.expect(201)?.json()?;
        let token = |name: &str| answer[name].as_str().map(str::to_owned);
        token("access_token").zip(token("refresh_token")).context("register gave no tokens")
    }

    /// Mints a personal access token.
    pub(crate) fn mint(&self, access: &str) -> Result<String> {
        let body = json!({"name": "stack", "scopes": ["full"]});
        let answer = Request::post("/api/v1/auth/tokens", &body).bearer(access).send(&self.address)?;
        let answer = answer.expect(201)?.json()?;
        answer["token"].as_str().map(str::to_owned).context("no token in the answer")
    }

    /// Kills a service without a goodbye and starts it again; returns when it is ready.
    fn crash(&mut self, member: Member) -> Result<()> {
        let (profile, ports) = (self.profile, self.ports);
        let service = match member {
            Member::Backend => &mut self.backend,
            Member::Aggregator => &mut self.aggregator,
            Member::Mcp => &mut self.mcp,
        };
        service.kill();
        *service = members::start(member, profile, self.folder.path(), ports, &self.settings)?;
        Ok(())
    }

    /// The last words of something that ended although nobody asked it to.
    pub(crate) fn broken(&mut self) -> Option<String> {
        let services = [&mut self.nginx, &mut self.mcp, &mut self.aggregator, &mut self.backend];
        services.into_iter().chain(self.node.as_mut()).find_map(|service| {
            let status = service.ended()?;
            Some(format!("{} ended ({status}):\n{}", service.name(), service.last_words()))
        })
    }

    /// Asks everything to end, the outermost first.
    pub(crate) fn stop(&mut self) {
        if let Some(node) = &mut self.node {
            node.stop();
        }
        for service in [&mut self.nginx, &mut self.mcp, &mut self.aggregator, &mut self.backend] {
            service.stop();
        }
    }
}
