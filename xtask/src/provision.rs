//! Getting the programs that the tests need: installed when we may, named exactly when we may not.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::workspace;

/// A program and the Debian package that has it.
struct Tool {
    program: &'static str,
    package: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool { program: "initdb", package: "postgresql" },
    Tool { program: "redis-server", package: "redis-server" },
    Tool { program: "nginx", package: "nginx-light" },
    Tool { program: "docker-compose", package: "docker-compose" },
    Tool { program: "openssl", package: "openssl" },
    Tool { program: "curl", package: "curl" },
    Tool { program: "git", package: "git" },
];

/// What other people's clients are written in.
const CLIENTS: &[Tool] = &[
    Tool { program: "python3", package: "python3" },
    Tool { program: "node", package: "nodejs" },
    Tool { program: "npm", package: "npm" },
];

/// What people sign in with.
const BROWSER: &[Tool] = &[Tool { program: "chromium", package: "chromium" }];

/// Makes sure that everything for the tests is there. Installs Debian packages when we are root.
pub(crate) fn everything() -> Result<()> {
    need(TOOLS)
}

/// Makes sure that PostgreSQL, Redis and nginx are there.
pub(crate) fn for_the_stack() -> Result<()> {
    need(&TOOLS[..3])
}

/// Makes sure that Python and Node are there, and that Python can make virtual environments: Debian has that
/// in a package of its own.
pub(crate) fn for_the_clients() -> Result<()> {
    need(CLIENTS)?;
    let can = || {
        let mut python = Command::new("python3");
        python.args(["-c", "import ensurepip, venv"]).stderr(Stdio::null());
        python.status().is_ok_and(|status| status.success())
    };
    if !can() {
        install(&["python3 with venv"], &["python3-venv"])?;
    }
    if can() { Ok(()) } else { bail!("python3 cannot make virtual environments: install python3-venv") }
}

/// Makes sure that there is a browser.
pub(crate) fn for_the_browser() -> Result<()> {
    need(BROWSER)
}

fn need(tools: &[Tool]) -> Result<()> {
    let missing: Vec<&Tool> = tools.iter().filter(|tool| find(tool.program).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let programs: Vec<&str> = missing.iter().map(|tool| tool.program).collect();
    install(&programs, &missing.iter().map(|tool| tool.package).collect::<Vec<_>>())?;
    match tools.iter().find(|tool| find(tool.program).is_none()) {
        None => Ok(()),
        Some(tool) => bail!("{} is still missing after installing {}", tool.program, tool.package),
    }
}

/// Installs packages, or says how.
fn install(programs: &[&str], packages: &[&str]) -> Result<()> {
    if !rustix::process::geteuid().is_root() || find("apt-get").is_none() {
        bail!(advice(programs, packages));
    }
    println!("installing {} (Debian packages)", packages.join(", "));
    apt(&["update", "--quiet=2"])?;
    let mut arguments = vec!["install", "--yes", "--quiet=2", "--no-install-recommends"];
    arguments.extend(packages);
    apt(&arguments)
}

fn advice(programs: &[&str], packages: &[&str]) -> String {
    format!(
        "{} missing. Install with: sudo apt-get install {}",
        match programs {
            [one] => format!("{one} is"),
            many => format!("{} are", many.join(", ")),
        },
        packages.join(" ")
    )
}

fn apt(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    // Nothing may ask a question, and no daemon may start because its package was installed.
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
    workspace::run(&mut command)
}

/// Where a program is: on the path, or where Debian keeps what is not on everybody's path.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let output = Command::new("sh")
        .args(["-c", "command -v \"$0\"", program])
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success());
    if let Some(output) = output {
        return Some(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    let elsewhere = ["/usr/sbin", "/sbin"].iter().map(PathBuf::from).chain(postgres_folders());
    elsewhere.map(|folder| folder.join(program)).find(|path| path.exists())
}

/// `find`, with a message when it is not there.
pub(crate) fn path_of(program: &str) -> Result<PathBuf> {
    find(program).with_context(|| format!("{program} is missing"))
}

/// Debian keeps PostgreSQL's programs per version; the newest first.
fn postgres_folders() -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = Path::new("/usr/lib/postgresql")
        .read_dir()
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort_by(|a, b| b.cmp(a));
    versions.into_iter().map(|(_, path)| path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_the_command_that_installs_it() {
        assert_eq!(
            advice(&["nginx", "initdb"], &["nginx-light", "postgresql"]),
            "nginx, initdb are missing. Install with: sudo apt-get install nginx-light postgresql"
        );
    }

    #[test]
    fn programs_are_found_or_not() {
        assert!(find("sh").is_some());
        assert!(find("no-such-program-anywhere").is_none());
    }
}
