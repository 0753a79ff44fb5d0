//! `syfthub-mcp serve | healthcheck | config`.

use std::process::ExitCode;

/// Chats make many small allocations on several threads at once, for which the system's allocator is slow.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    syfthub_mcp::main()
}
