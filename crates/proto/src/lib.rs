//! Generated messages, clients and servers of the internal gRPC calls (`proto/`), and the conversions
//! between their enums and the domain's.
#![forbid(unsafe_code)]

mod convert;

/// The generated code, in the module tree that it expects: one module per part of the package name.
mod syfthub {
    macro_rules! package {
        ($name:ident, $path:literal) => {
            pub mod $name {
                #[allow(missing_docs, clippy::all, clippy::pedantic)]
                pub mod v1 {
                    tonic::include_proto!($path);
                }
            }
        };
    }
    package!(common, "syfthub.common.v1");
    package!(identity, "syfthub.identity.v1");
    package!(directory, "syfthub.directory.v1");
    package!(chat, "syfthub.chat.v1");
    package!(ops, "syfthub.ops.v1");
    package!(usage, "syfthub.usage.v1");
    package!(conversations, "syfthub.conversations.v1");
    package!(oauth, "syfthub.oauth.v1");
    package!(tools, "syfthub.tools.v1");
}

/// One question, answered by a stream of typed events.
pub use syfthub::chat::v1 as chat;
/// Messages that several services use.
pub use syfthub::common::v1 as common;
/// What accounts asked and were answered.
pub use syfthub::conversations::v1 as conversations;
/// What is published: resolve, search, list.
pub use syfthub::directory::v1 as directory;
/// Who somebody is: verify a credential, find a user, mint satellite tokens.
pub use syfthub::identity::v1 as identity;
/// The state of the OAuth 2.1 authorization server: clients, grants, codes, refresh tokens, devices, keys.
pub use syfthub::oauth::v1 as oauth;
/// What an operator tells the running backend.
pub use syfthub::ops::v1 as ops;
/// What the tools of assistants do at the hub.
pub use syfthub::tools::v1 as tools;
/// Who used what through the chat service.
pub use syfthub::usage::v1 as usage;
