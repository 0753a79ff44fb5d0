//! The MCP endpoint as clients see it, over fakes of the services that it calls.
#![expect(clippy::unwrap_used, reason = "a failing test should panic")]

mod access;
mod client;
mod command;
mod faults;
mod hub;
mod library;
mod oauth;
mod oauth_assertions;
mod oauth_browser;
mod oauth_clients;
mod oauth_devices;
mod oauth_documents;
mod oauth_dpop;
mod oauth_exchange;
mod oauth_fetching;
mod oauth_hub;
mod protocol;
mod scopes;
mod tools;
mod tools_hub;
mod watching;
