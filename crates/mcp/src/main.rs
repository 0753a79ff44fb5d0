//! `syfthub-mcp serve | healthcheck | config`.

use std::process::ExitCode;

fn main() -> ExitCode {
    syfthub_mcp::main()
}
