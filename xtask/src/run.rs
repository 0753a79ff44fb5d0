//! `make run`: from a clone to a hub that answers.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::provision;
use crate::workspace::{self, Profile};

/// Builds the hub, links `bin/syfthub` to it and becomes it, with the arguments given.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    need_compiler()?;
    let first = workspace::binary(Profile::Quick, "syfthub").is_err();
    if first {
        println!("building the hub; the first time takes {}, later seconds", estimate(1));
    } else {
        println!("building the hub");
    }
    workspace::build(Profile::Quick, &["syfthub"])?;
    let binary = workspace::binary(Profile::Quick, "syfthub")?;
    link(&binary)?;
    println!("built; in a second terminal: bin/syfthub ask \"How do I restore a backup?\"");
    let mut hub = Command::new(binary);
    hub.arg("serve").args(arguments).current_dir(workspace::root());
    // From here on this process is the hub: signals and the exit code are its own.
    Err(hub.exec()).context("the hub does not start")
}

/// Makes `bin/syfthub` point to what was built.
pub(crate) fn link(binary: &Path) -> Result<()> {
    let folder = workspace::root().join("bin");
    fs::create_dir_all(&folder)?;
    let link = folder.join("syfthub");
    if fs::read_link(&link).is_ok_and(|target| target == binary) {
        return Ok(());
    }
    // Replaced in one step, so that there is a command at every moment.
    let next = folder.join(format!(".syfthub-{}", std::process::id()));
    symlink(binary, &next)?;
    fs::rename(&next, &link).context("bin/syfthub cannot be replaced")
}

/// How long a first build takes here; `weight` times as long as that of `make run`. Ten to twenty minutes
/// of one core's work, with a part that cannot be shared.
pub(crate) fn estimate(weight: usize) -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    estimate_with(weight, cores)
}

fn estimate_with(weight: usize, cores: usize) -> String {
    let minutes = |work: usize| (work * weight).div_ceil(cores).max(weight);
    let (low, high) = (minutes(10), minutes(20).max(weight + 1));
    let cores = if cores == 1 { "one core".to_owned() } else { format!("{cores} cores") };
    format!("about {low} to {high} minutes on {cores}")
}

/// Says what to install when there is no C compiler.
pub(crate) fn need_compiler() -> Result<()> {
    if ["cc", "gcc", "clang"].iter().any(|compiler| provision::find(compiler).is_some()) {
        return Ok(());
    }
    bail!(
        "a C compiler is missing (the database and the cryptography are built from source). Install with: sudo apt-get install gcc libc6-dev"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_follows_the_cores() {
        assert_eq!(estimate_with(1, 2), "about 5 to 10 minutes on 2 cores");
        assert_eq!(estimate_with(1, 64), "about 1 to 2 minutes on 64 cores");
        assert_eq!(estimate_with(3, 2), "about 15 to 30 minutes on 2 cores");
        assert_eq!(estimate_with(1, 1), "about 10 to 20 minutes on one core");
    }
}
