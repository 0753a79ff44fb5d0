//! How each member of the stack is started: its program, its settings, its sign of readiness.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::READY;
use crate::http::Request;
use crate::nginx::{self, Kind};
use crate::process::{Service, free_port};
use crate::workspace::{self, Profile};

/// The services of the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Member {
    Backend,
    Aggregator,
    Mcp,
}

impl Member {
    fn program(self) -> &'static str {
        match self {
            Self::Backend => "syfthub-backend",
            Self::Aggregator => "syfthub-aggregator",
            Self::Mcp => "syfthub-mcp",
        }
    }
}

/// Loopback ports.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub(super) proxy: u16,
    pub(super) backend: u16,
    pub(super) backend_grpc: u16,
    pub(super) aggregator: u16,
    pub(super) aggregator_grpc: u16,
    pub(super) mcp: u16,
    pub(super) frontend: u16,
}

impl Ports {
    /// Free ports for all but the proxy.
    pub(super) fn choose(proxy: u16) -> Result<Self> {
        Ok(Self {
            proxy,
            backend: free_port()?,
            backend_grpc: free_port()?,
            aggregator: free_port()?,
            aggregator_grpc: free_port()?,
            mcp: free_port()?,
            frontend: free_port()?,
        })
    }

    fn http(self, member: Member) -> u16 {
        match member {
            Member::Backend => self.backend,
            Member::Aggregator => self.aggregator,
            Member::Mcp => self.mcp,
        }
    }
}

/// What the services share.
pub(super) struct Settings {
    pub(super) secret: String,
    pub(super) database: String,
    pub(super) redis: String,
    pub(super) address: String,
    /// Settings besides, for all of them.
    pub(super) more: Vec<(&'static str, String)>,
}

/// Starts one service and waits until it is ready.
pub(super) fn start(
    member: Member,
    profile: Profile,
    folder: &Path,
    ports: Ports,
    shared: &Settings,
) -> Result<Service> {
    let program = member.program();
    let mut command = Command::new(workspace::binary(profile, program)?);
    let data = folder.join(program);
    std::fs::create_dir_all(&data)?;
    // Only what is set here: nothing of the user's own environment leaks in.
    command.arg("serve").current_dir(&data).env_clear().envs(environment(member, ports, shared));
    let mut service = Service::start(program, command, folder)?;
    let address = format!("127.0.0.1:{}", ports.http(member));
    service
        .wait_at(ports.http(member), READY, || {
            Request::new("GET", "/health").send(&address).is_ok_and(|answer| answer.status == 200)
        })
        .with_context(|| format!("{program} did not become ready"))?;
    Ok(service)
}

/// Everything that a service finds in its environment.
pub(super) fn environment(member: Member, ports: Ports, shared: &Settings) -> Vec<(&'static str, String)> {
    let local = |port: u16| format!("127.0.0.1:{port}");
    let mut settings = vec![
        ("ENVIRONMENT", "development".to_owned()),
        ("HOST", "127.0.0.1".to_owned()),
        ("PORT", ports.http(member).to_string()),
        ("SECRET_KEY", shared.secret.clone()),
        ("REDIS_URL", shared.redis.clone()),
        ("SYFTHUB_PUBLIC_URL", shared.address.clone()),
        ("SYFTHUB_URL", format!("http://{}", local(ports.backend))),
        ("AGGREGATOR_SYFTHUB_URL", format!("http://{}", local(ports.backend))),
        ("AGGREGATOR_URL", format!("http://{}", local(ports.aggregator))),
        ("AGGREGATOR_HOST", "127.0.0.1".to_owned()),
        ("AGGREGATOR_PORT", ports.aggregator.to_string()),
        ("MCP_PORT", ports.mcp.to_string()),
        ("BACKEND_GRPC_URL", format!("http://{}", local(ports.backend_grpc))),
        ("AGGREGATOR_GRPC_URL", format!("http://{}", local(ports.aggregator_grpc))),
        ("TRUSTED_PROXIES", "127.0.0.0/8".to_owned()),
        ("EGRESS_ALLOW", "loopback".to_owned()),
        ("LOG_FORMAT", "json".to_owned()),
    ];
    match member {
        Member::Backend => {
            settings.push(("DATABASE_URL", shared.database.clone()));
            settings.push(("GRPC_PORT", ports.backend_grpc.to_string()));
        }
        Member::Aggregator => settings.push(("GRPC_PORT", ports.aggregator_grpc.to_string())),
        Member::Mcp => {}
    }
    settings.extend(shared.more.iter().cloned());
    settings
}

/// Starts nginx with the development configuration.
pub(super) fn start_nginx(folder: &Path, ports: Ports) -> Result<Service> {
    let folder = folder.join("nginx");
    std::fs::create_dir_all(&folder)?;
    let Ports { proxy, backend, aggregator, mcp, frontend, .. } = ports;
    let ports = nginx::Ports { http: proxy, https: 0, backend, aggregator, mcp, frontend };
    let main = nginx::prepare(&folder, Kind::Dev, ports)?;
    let mut service = Service::start("nginx", nginx::command(&folder, &main)?, &folder)?;
    let address = format!("127.0.0.1:{proxy}");
    service
        .wait_at(proxy, READY, || {
            Request::new("GET", "/nginx-health").send(&address).is_ok_and(|answer| answer.body == "ok\n")
        })
        .with_context(|| {
            format!("nginx did not start; is port {proxy} taken? Choose another: make stack PORT=…")
        })?;
    Ok(service)
}
