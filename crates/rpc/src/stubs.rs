//! Generated clients and servers with the message limit of the house. Always make them here: the
//! generated default refuses messages above 4 MiB.

use syfthub_proto::chat::chat_service_client::ChatServiceClient;
use syfthub_proto::chat::chat_service_server::{ChatService, ChatServiceServer};
use syfthub_proto::conversations::conversations_service_client::ConversationsServiceClient;
use syfthub_proto::conversations::conversations_service_server::{
    ConversationsService, ConversationsServiceServer,
};
use syfthub_proto::directory::directory_service_client::DirectoryServiceClient;
use syfthub_proto::directory::directory_service_server::{DirectoryService, DirectoryServiceServer};
use syfthub_proto::identity::identity_service_client::IdentityServiceClient;
use syfthub_proto::identity::identity_service_server::{IdentityService, IdentityServiceServer};
use syfthub_proto::oauth::o_auth_service_client::OAuthServiceClient;
use syfthub_proto::oauth::o_auth_service_server::{OAuthService, OAuthServiceServer};
use syfthub_proto::ops::ops_service_client::OpsServiceClient;
use syfthub_proto::ops::ops_service_server::{OpsService, OpsServiceServer};
use syfthub_proto::tools::tools_service_client::ToolsServiceClient;
use syfthub_proto::tools::tools_service_server::{ToolsService, ToolsServiceServer};
use syfthub_proto::usage::usage_service_client::UsageServiceClient;
use syfthub_proto::usage::usage_service_server::{UsageService, UsageServiceServer};

use crate::{MAX_MESSAGE_BYTES, Peer};

macro_rules! pair {
    ($what:literal, $client_fn:ident -> $client:ident, $server_fn:ident -> $server:ident<$service:ident>) => {
        #[doc = concat!("A client of the ", $what, " service.")]
        pub fn $client_fn(peer: Peer) -> $client<Peer> {
            $client::new(peer)
                .max_decoding_message_size(MAX_MESSAGE_BYTES)
                .max_encoding_message_size(MAX_MESSAGE_BYTES)
        }

        #[doc = concat!("The ", $what, " service, ready to be added to `tonic::service::Routes`.")]
        pub fn $server_fn<T: $service>(service: T) -> $server<T> {
            $server::new(service)
                .max_decoding_message_size(MAX_MESSAGE_BYTES)
                .max_encoding_message_size(MAX_MESSAGE_BYTES)
        }
    };
}

pair!("identity", identity_client -> IdentityServiceClient, identity_server -> IdentityServiceServer<IdentityService>);
pair!("directory", directory_client -> DirectoryServiceClient, directory_server -> DirectoryServiceServer<DirectoryService>);
pair!("oauth", oauth_client -> OAuthServiceClient, oauth_server -> OAuthServiceServer<OAuthService>);
pair!("ops", ops_client -> OpsServiceClient, ops_server -> OpsServiceServer<OpsService>);
pair!("chat", chat_client -> ChatServiceClient, chat_server -> ChatServiceServer<ChatService>);
pair!("tools", tools_client -> ToolsServiceClient, tools_server -> ToolsServiceServer<ToolsService>);
pair!("usage", usage_client -> UsageServiceClient, usage_server -> UsageServiceServer<UsageService>);
pair!("conversations", conversations_client -> ConversationsServiceClient, conversations_server -> ConversationsServiceServer<ConversationsService>);
