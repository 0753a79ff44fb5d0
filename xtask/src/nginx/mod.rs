//! The proxy: our configuration with the two kinds of include files swapped that know hosts and ports.

pub(crate) mod syntax;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::{provision, workspace};

/// Which configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `nginx/nginx.dev.conf`.
    Dev,
    /// `nginx/nginx.prod.conf`.
    Prod,
}

impl Kind {
    fn file(self) -> &'static str {
        match self {
            Self::Dev => "nginx.dev.conf",
            Self::Prod => "nginx.prod.conf",
        }
    }
}

/// Loopback ports that take the places of the container names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) http: u16,
    pub(crate) https: u16,
    pub(crate) backend: u16,
    pub(crate) aggregator: u16,
    pub(crate) mcp: u16,
    pub(crate) frontend: u16,
}

/// Writes a folder that nginx can be started on and returns the main file in it.
pub(crate) fn prepare(folder: &Path, kind: Kind, ports: Ports) -> Result<PathBuf> {
    let source = workspace::root().join("nginx");
    let snippets = folder.join("syfthub");
    fs::create_dir_all(&snippets)?;
    for entry in fs::read_dir(source.join("snippets"))? {
        let entry = entry?;
        fs::copy(entry.path(), snippets.join(entry.file_name()))?;
    }
    fs::copy(source.join(kind.file()), folder.join(kind.file()))?;
    for (name, text) in swapped(folder, ports) {
        fs::write(snippets.join(name), text)?;
    }
    if kind == Kind::Prod {
        certificate(folder)?;
    }
    let main = folder.join("nginx.conf");
    fs::write(&main, main_file(folder, kind, ports.frontend))?;
    Ok(main)
}

/// The include files that know hosts, ports and folders.
fn swapped(folder: &Path, ports: Ports) -> Vec<(&'static str, String)> {
    let upstream = |name: &str, port: u16, keep: u16| {
        format!(
            "upstream {name} {{\n    server 127.0.0.1:{port};\n    keepalive {keep};\n    keepalive_timeout 10s;\n}}\n"
        )
    };
    let Ports { http, https, backend, aggregator, mcp, frontend } = ports;
    let here = folder.display();
    vec![
        (
            "upstreams.conf",
            [
                upstream("backend", backend, 32),
                upstream("aggregator", aggregator, 16),
                upstream("mcp", mcp, 16),
            ]
            .concat(),
        ),
        ("upstream-frontend.conf", upstream("frontend", frontend, 4)),
        ("listen.dev.conf", format!("listen 127.0.0.1:{http};\n")),
        ("listen.prod-http.conf", format!("listen 127.0.0.1:{http};\n")),
        (
            "listen.prod-https.conf",
            format!(
                "listen 127.0.0.1:{https} ssl http2;\nssl_certificate {here}/cert.pem;\nssl_certificate_key {here}/key.pem;\n"
            ),
        ),
        ("access-log.conf", format!("access_log {here}/access.log syfthub;\n")),
    ]
}

/// What the image of nginx has around our file, and a file server where the web app's own will be.
fn main_file(folder: &Path, kind: Kind, frontend: u16) -> String {
    let here = folder.display();
    let user = if rustix::process::geteuid().is_root() { "user root;\n" } else { "" };
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("    {name}_temp_path {here}/{name};\n"))
        .concat();
    let page = workspace::root().join("frontend/public");
    format!(
        "{user}worker_processes 2;\ndaemon off;\npid {here}/nginx.pid;\nerror_log stderr warn;\n\
         events {{\n    worker_connections 1024;\n}}\n\
         http {{\n    include {mime};\n    default_type application/octet-stream;\n    access_log off;\n{temporary}\
         \x20   include {here}/{ours};\n\
         \x20   server {{\n        listen 127.0.0.1:{frontend};\n        root {page};\n\
         \x20       location / {{\n            add_header Cache-Control \"no-cache\" always;\n\
         \x20           try_files $uri /index.html;\n        }}\n    }}\n}}\n",
        mime = mime_types().display(),
        ours = kind.file(),
        page = page.display(),
    )
}

fn mime_types() -> PathBuf {
    PathBuf::from("/etc/nginx/mime.types")
}

fn certificate(folder: &Path) -> Result<()> {
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-nodes", "-days", "2", "-newkey", "rsa:2048", "-subj", "/CN=localhost"]);
    openssl.arg("-keyout").arg(folder.join("key.pem")).arg("-out").arg(folder.join("cert.pem"));
    workspace::read(&mut openssl).map(|_| ()).context("no certificate for the test of the configuration")
}

/// The command that runs nginx on a prepared folder.
pub(crate) fn command(folder: &Path, main: &Path) -> Result<Command> {
    let mut command = Command::new(provision::path_of("nginx")?);
    command.arg("-p").arg(folder).arg("-c").arg(main).args(["-e", "stderr"]);
    Ok(command)
}

/// `nginx -t` on both configurations.
pub(crate) fn test() -> Result<()> {
    for kind in [Kind::Dev, Kind::Prod] {
        let folder = tempfile::Builder::new().prefix("syfthub-nginx-").tempdir()?;
        let port = crate::process::free_port;
        let ports = Ports {
            http: port()?,
            https: port()?,
            backend: 8000,
            aggregator: 8001,
            mcp: 8002,
            frontend: port()?,
        };
        let main = prepare(folder.path(), kind, ports)?;
        workspace::read(command(folder.path(), &main)?.arg("-t")).with_context(|| format!("{kind:?}"))?;
    }
    Ok(())
}
