//! `syfthub doctor`: looks at the set-up the way the hub will use it, and says how to mend what is wrong.

mod hub;
mod machine;
mod mcp;

use std::path::Path;
use std::process::ExitCode;

use syfthub_config::Settings;

use crate::cli::{DoctorArgs, DoctorCommand};
use crate::{load_settings, terminal};

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What was looked at, in a word or two.
    pub(crate) subject: &'static str,
    /// What was found.
    pub(crate) verdict: Verdict,
}

/// How it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// In order; the text says what was seen.
    Fine(String),
    /// It works, but will not forever or not for everybody.
    Doubtful {
        /// What was seen.
        seen: String,
        /// What to do.
        fix: String,
    },
    /// It does not work.
    Fault {
        /// What was seen.
        seen: String,
        /// What to do.
        fix: String,
    },
}

impl Finding {
    fn fine(subject: &'static str, seen: impl Into<String>) -> Self {
        Self { subject, verdict: Verdict::Fine(seen.into()) }
    }

    fn doubtful(subject: &'static str, seen: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { subject, verdict: Verdict::Doubtful { seen: seen.into(), fix: fix.into() } }
    }

    fn fault(subject: &'static str, seen: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { subject, verdict: Verdict::Fault { seen: seen.into(), fix: fix.into() } }
    }

    fn lines(&self) -> String {
        let subject = self.subject;
        match &self.verdict {
            Verdict::Fine(seen) => format!("ok     {subject:<12} {seen}"),
            Verdict::Doubtful { seen, fix } => {
                format!("warn   {subject:<12} {seen}\n       fix:         {fix}")
            }
            Verdict::Fault { seen, fix } => format!("FAULT  {subject:<12} {seen}\n       fix:         {fix}"),
        }
    }
}

/// Runs every check; the exit code is 1 when one found a fault.
pub(crate) async fn run(args: DoctorArgs, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    if let Some(DoctorCommand::Mcp { hub }) = &args.what {
        return tell(&mcp::look_at(hub).await);
    }
    let mut findings = Vec::new();
    match load_settings(config, &args.data, true) {
        Err(problems) => {
            let fix = "correct the settings that are named, or look them up with `syfthub config` and in docs/CONFIG.md";
            findings.push(Finding::fault("settings", format!("{problems:#}"), fix));
        }
        Ok(loaded) => {
            findings.push(Finding::fine(
                "settings",
                format!("{} environment", loaded.settings.environment.as_str()),
            ));
            for warning in &loaded.warnings {
                findings.push(Finding::doubtful("settings", warning, "see docs/CONFIG.md"));
            }
            examine(&loaded.settings, &args, &mut findings).await;
        }
    }
    tell(&findings)
}

fn tell(findings: &[Finding]) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for finding in findings {
        terminal::line(finding.lines())?;
        if matches!(finding.verdict, Verdict::Fault { .. }) {
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

async fn examine(settings: &Settings, args: &DoctorArgs, findings: &mut Vec<Finding>) {
    findings.push(machine::data_dir(settings));
    findings.push(machine::private_files(settings));
    findings.push(machine::open_files());
    findings.push(machine::database(settings).await);
    if let Some(redis) = &settings.redis {
        findings.push(machine::redis(redis).await);
    }
    findings.push(machine::listener(settings));
    findings.push(machine::public_url(settings));
    if let Some(url) = &args.hub {
        findings.extend(hub::look_at(url, settings).await);
    }
}
