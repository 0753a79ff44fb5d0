//! `syfthub login`, `logout` and `whoami`: signs a person in from a terminal by the device authorization grant
//! (RFC 8628), and keeps what comes of it for the other commands.

pub(crate) mod credential;
mod kept;
mod server;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use syfthub_config::{Input, Secret};
use syfthub_domain::SystemClock;
use url::Url;

use self::credential::Credential;
use self::kept::Kept;
use self::server::{Asked, Begun, Server, Tokens};
use crate::ask::hub::HubClient;
use crate::cli::{DEFAULT_HUB, LoginArgs, LogoutArgs, WhoamiArgs};
use crate::terminal;

/// Longest pause between two questions while the hub cannot be reached.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Who is signed in, in the words of the hub.
#[derive(Debug, Deserialize)]
struct Me {
    username: String,
    #[serde(default)]
    full_name: String,
}

/// The hub that a command is for: the one that was named, else the one of the last sign-in, else the usual one.
pub(crate) fn hub(named: Option<Url>) -> anyhow::Result<Url> {
    if let Some(named) = named {
        return Ok(named);
    }
    let last = Kept::of_user(&Input::from_process()?).map(|kept| kept.last_hub()).transpose()?.flatten();
    match last {
        Some(last) => Ok(last),
        None => Ok(DEFAULT_HUB.parse()?),
    }
}

/// Signs in.
pub(crate) async fn login(args: LoginArgs) -> anyhow::Result<ExitCode> {
    let input = Input::from_process()?;
    let kept = Kept::of_user(&input).context(kept::NO_HOME)?;
    let hub = hub(args.hub)?;
    let server = Server::find(&hub).await?;
    let begun = server.begin(&args.scope, &machine(&input)).await?;
    announce(&begun)?;
    if !args.no_browser {
        show(&input, &begun);
    }
    let tokens = wait(&server, &begun).await?;
    let login = server.login(tokens, &SystemClock)?;
    let me = me(&hub, login.access_token()).await?;
    let before = {
        let mut locked = kept.lock().await?;
        locked.put(&hub, login.of(&me.username))?
    };
    // The sign-in that this one replaces is of no use to anybody any more.
    if let Some(before) = before {
        let _ = server::revoke(&before).await;
    }
    terminal::line(format!("signed in to {} as {}", address(&hub), terminal::harmless(&me.username)))?;
    Ok(ExitCode::SUCCESS)
}

/// What the person has to do.
fn announce(begun: &Begun) -> anyhow::Result<()> {
    terminal::line(format!("Open   {}", terminal::harmless(begun.page.as_str())))?;
    terminal::line(format!("enter  {}", terminal::harmless(&begun.user_code)))?;
    let minutes = begun.life.as_secs().div_ceil(60);
    terminal::note(format!("waiting for you to agree there; the code is good for {minutes} minutes"))?;
    Ok(())
}

/// Opens the page, where there is somebody to see it. That it cannot be opened is no fault: the address is told.
fn show(input: &Input, begun: &Begun) {
    use std::io::IsTerminal as _;
    let has = |name: &str| input.variable(name).is_some();
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else if has("DISPLAY") || has("WAYLAND_DISPLAY") {
        "xdg-open"
    } else {
        return;
    };
    if !std::io::stdout().is_terminal() || has("SSH_CONNECTION") {
        return;
    }
    let mut command = tokio::process::Command::new(opener);
    command.arg(begun.complete.as_ref().unwrap_or(&begun.page).as_str());
    let quiet = std::process::Stdio::null;
    let _ = command.stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn();
}

/// Asks until the person has answered or the code is too old.
async fn wait(server: &Server, begun: &Begun) -> anyhow::Result<Tokens> {
    let over = tokio::time::Instant::now() + begun.life;
    let mut pause = begun.interval;
    while tokio::time::Instant::now() < over {
        tokio::time::sleep(pause).await;
        match server.ask(&begun.device_code).await? {
            Asked::Tokens(tokens) => return Ok(tokens),
            Asked::Pending => {}
            Asked::SlowDown => pause += Duration::from_secs(5),
            // RFC 8628, section 3.5: less often while it cannot be reached.
            Asked::Away => pause = (pause * 2).min(LONGEST_PAUSE),
            Asked::Refused => bail!("you did not agree; nothing was changed"),
            Asked::Over => break,
        }
    }
    bail!("nobody agreed in time: run `syfthub login` again")
}

/// The name of this machine, so that its person knows it again in the list of what they agreed to.
fn machine(input: &Input) -> String {
    let named = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let named = if named.trim().is_empty() { input.variable("HOSTNAME").unwrap_or_default() } else { &named };
    named.trim().chars().take(40).collect()
}

async fn me(hub: &Url, token: Secret) -> anyhow::Result<Me> {
    HubClient::new(hub.clone(), Some(token))?
        .read("api/v1/auth/me")
        .await
        .context("the hub does not know this sign-in")
}

/// Signs out.
pub(crate) async fn logout(args: LogoutArgs) -> anyhow::Result<ExitCode> {
    let kept = Kept::of_user(&Input::from_process()?).context(kept::NO_HOME)?;
    let hubs = if args.all { kept.hubs()? } else { vec![hub(args.hub)?] };
    for hub in hubs {
        let taken = kept.lock().await?.remove(&hub)?;
        let Some(login) = taken else {
            terminal::line(format!("not signed in to {}", address(&hub)))?;
            continue;
        };
        if let Err(error) = server::revoke(&login).await {
            terminal::note(format!(
                "note: {} could not be told ({error:#}); end the sign-in there, under connected apps, or it ends by itself in 30 days",
                address(&hub)
            ))?;
        }
        terminal::line(format!("signed out of {}", address(&hub)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Tells who one is at a hub.
pub(crate) async fn whoami(args: WhoamiArgs) -> anyhow::Result<ExitCode> {
    let hub = hub(args.hub)?;
    let Some(credential) = Credential::find(&hub, None)? else {
        ensure!(false, "not signed in to {}: run `syfthub login`", address(&hub));
        return Ok(ExitCode::FAILURE);
    };
    let me = me(&hub, credential.token().await?).await?;
    let name = if me.full_name.trim().is_empty() || me.full_name == me.username {
        String::new()
    } else {
        format!(" ({})", me.full_name.trim())
    };
    let line = format!("{}{name} at {}", me.username, address(&hub));
    terminal::line(terminal::harmless(&line))?;
    terminal::line(terminal::harmless(&credential.in_words()))?;
    Ok(ExitCode::SUCCESS)
}

/// A hub as people write it.
pub(crate) fn address(hub: &Url) -> &str {
    hub.as_str().trim_end_matches('/')
}
