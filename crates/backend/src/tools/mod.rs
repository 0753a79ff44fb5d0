//! `tools.v1`: what the tools of assistants do at the hub, by the rules of the public API.

mod calls;
pub(crate) mod grpc;
