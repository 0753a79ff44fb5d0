//! `syfthub-mcp serve | healthcheck | config`.

use std::process::ExitCode;

/// Requests allocate much and briefly; the system's allocator costs a third of the throughput.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    syfthub_mcp::main()
}
