//! `syfthub-backend keys`, `clients` and `audit`.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use syfthub_auth::MasterKey;
use syfthub_config::Settings;
use syfthub_proto::ops::{ListKeysRequest, RetireKeyRequest, RotateKeyRequest};
use syfthub_rpc::{Caller, INTERNAL_KEY_LABEL, InternalKey, connect, stubs, with_deadline};
use syfthub_store::Db;
use tonic::{Code, Request, Status};

use crate::command::{explain, open};
use crate::identity_provider::grpc::from_wire;
use crate::identity_provider::rotation::KeyInfo;
use crate::oauth::operator::ClientsCommand;
use crate::operator::{self, AuditCommand, KeysCommand, KeysLine};

/// Longest wait for the running backend; making a key takes up to seconds.
const DEADLINE: Duration = Duration::from_secs(30);

/// Does something about the keys: through the backend that runs on this machine, so that it works with the change
/// at once; without one on the database itself.
pub(crate) async fn keys(settings: &Settings, line: &KeysLine) -> anyhow::Result<ExitCode> {
    let keys = match running(settings, line).await {
        Ok(keys) => keys,
        Err(status) if status.code() == Code::Unavailable => directly(settings, line).await?,
        Err(status) => return Err(anyhow!("{}", status.message())),
    };
    std::io::stdout().write_all(operator::keys_table(&keys).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

async fn running(settings: &Settings, line: &KeysLine) -> Result<Vec<KeyInfo>, Status> {
    let key = InternalKey::new(MasterKey::new(&settings.secrets.secret_key).subkey(INTERNAL_KEY_LABEL));
    let url = format!("http://{}", reachable(settings.grpc.listen));
    let peer = connect(&url, Caller::Cli, &key).map_err(|error| Status::unavailable(error.to_string()))?;
    let mut ops = stubs::ops_client(peer);
    let ring = line.ring.name().to_owned();
    let keys = match &line.command {
        KeysCommand::List => ops.list_keys(within(ListKeysRequest { ring })).await?.into_inner().keys,
        KeysCommand::Rotate { now } => {
            ops.rotate_key(within(RotateKeyRequest { at_once: *now, ring })).await?.into_inner().keys
        }
        KeysCommand::Retire { kid, force } => {
            let request = RetireKeyRequest { kid: kid.clone(), force: *force, ring };
            ops.retire_key(within(request)).await?.into_inner().keys
        }
    };
    Ok(keys.into_iter().map(from_wire).collect())
}

fn within<T>(message: T) -> Request<T> {
    with_deadline(Request::new(message), DEADLINE)
}

/// The address of a listener as somebody on the same machine calls it.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

async fn directly(settings: &Settings, line: &KeysLine) -> anyhow::Result<Vec<KeyInfo>> {
    let app = open(settings).await?;
    let keys = match &line.command {
        KeysCommand::List => app.ring_keys(line.ring).await,
        KeysCommand::Rotate { now } => app.rotate_ring(line.ring, *now).await,
        KeysCommand::Retire { kid, force } => app.retire_in(line.ring, kid, *force).await,
    };
    app.close().await;
    keys.map_err(|error| explain(&error))
}

/// Does something about clients of the authorization server. What the hub keeps of them it reads each time, so the
/// database is all that a running backend has to be told; with Redis it also drops their tokens at once.
pub(crate) async fn clients(settings: &Settings, command: &ClientsCommand) -> anyhow::Result<ExitCode> {
    let body = command.body()?;
    let app = open(settings).await?;
    let answer = app.clients_command(command, body).await;
    app.close().await;
    let answer = answer.map_err(|error| explain(&error))?;
    std::io::stdout().write_all(command.text(&answer)?.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Reads or checks the audit log, beside a running backend or without one.
pub(crate) async fn audit(settings: &Settings, command: &AuditCommand) -> anyhow::Result<ExitCode> {
    let db = Db::connect(&settings.database).await.context("DATABASE_URL")?;
    let printed = operator::audit(&db, command).await.map_err(|error| explain(&error));
    db.close().await;
    let printed = printed?;
    std::io::stdout().write_all(printed.text.as_bytes())?;
    Ok(if printed.is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_all_addresses_is_called_on_loopback() {
        let called = |listen: &str| reachable(listen.parse().unwrap()).to_string();
        assert_eq!(called("0.0.0.0:9000"), "127.0.0.1:9000");
        assert_eq!(called("[::]:9000"), "[::1]:9000");
        assert_eq!(called("10.0.0.7:9000"), "10.0.0.7:9000");
    }
}
