//! What the server tells about itself.

use rmcp::model::{Implementation, ServerCapabilities, ServerConfig};

const INSTRUCTIONS: &str = "SyftHub lists models and data sources that people publish. Use \
    discover_syfthub_endpoints to see what there is, then chat_with_syfthub with one model and the data \
    sources that fit the question, or search_documents for documents alone. Tell the user which sources an \
    answer rests on.";

/// Name, version and abilities. Single endpoints can be watched; lists change all the time, and no change of
/// one is announced.
pub(super) fn server() -> ServerConfig {
    let implementation =
        Implementation::new("SyftHub MCP Server", env!("CARGO_PKG_VERSION")).with_title("SyftHub");
    let capabilities = ServerCapabilities::builder()
        .enable_tools()
        .enable_prompts()
        .enable_resources()
        .enable_resources_subscribe()
        .enable_completions()
        .build();
    ServerConfig::new(capabilities).with_server_info(implementation).with_instructions(INSTRUCTIONS)
}
