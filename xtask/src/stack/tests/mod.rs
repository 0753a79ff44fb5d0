//! The stack, driven from outside: one stack for all cases, in order; the last ones break things.

mod edge;
mod faults;
mod journey;
mod oauth;

use anyhow::Result;

use super::Stack;
use crate::counts::Counts;
use crate::interrupt;
use crate::process::free_port;
use crate::workspace::Profile;

/// A name and what it checks.
type Case = (&'static str, fn(&mut Stack, Profile) -> Result<()>);

const CASES: &[Case] = &[
    ("documents and health reach the backend", edge::documents),
    ("metrics, internal routes and gRPC end at the proxy", edge::hidden),
    ("security headers are sent exactly once", edge::security_headers),
    ("a POST to /mcp is not redirected", edge::mcp_is_not_redirected),
    ("the doctor finds the way of an MCP client in order", oauth::doctor),
    ("an MCP client signs in, outlives restarts and is revoked", oauth::from_sign_in_to_revocation),
    ("unknown paths are pages for browsers, errors for programs", edge::pages),
    ("a correlation id goes in and comes out", edge::correlation),
    ("register, log in, refresh, who am I", journey::account),
    ("syfthub ask answers with citations", journey::ask),
    ("the chat stream has its events in order", journey::events),
    ("Debian's own documents answer a licence question", journey::debian_documents),
    ("tokens arrive unbuffered through the proxy", journey::unbuffered),
    ("PostgreSQL shows who is connected", journey::application_name),
    ("the hub works without Redis and with it again", faults::redis),
    ("a service that is gone is a clear 503", faults::service_gone),
    ("SIGTERM lets a running answer end", faults::drain),
    ("every service ends cleanly on SIGTERM", faults::clean_end),
];

/// Starts a stack, runs every case, stops it.
pub(crate) fn run(profile: Profile) -> Result<Counts> {
    let mut stack = Stack::start(profile, free_port()?)?;
    stack.publish(profile)?;
    let mut counts = Counts::default();
    for (name, case) in CASES {
        interrupt::check()?;
        let outcome = case(&mut stack, profile);
        counts.add(outcome.is_ok());
        match outcome {
            Ok(()) => println!("stack: {name} ... ok"),
            Err(error) => {
                println!("stack: {name} ... FAILED\n    {error:#}");
                if let Some(words) = stack.broken() {
                    println!("    {words}");
                }
            }
        }
    }
    Ok(counts)
}
