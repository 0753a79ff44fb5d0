//! Compiles `proto/` with protox, so that no `protoc` has to be installed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = "../../proto";
    let files = [
        "identity/v1/identity",
        "directory/v1/directory",
        "chat/v1/chat",
        "ops/v1/ops",
        "usage/v1/usage",
        "conversations/v1/conversations",
        "oauth/v1/oauth",
        "tools/v1/tools",
        "common/v1/common",
    ]
    .map(|name| format!("{root}/syfthub/{name}.proto"));
    println!("cargo:rerun-if-changed={root}");
    let descriptors = protox::compile(files, [root])?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
