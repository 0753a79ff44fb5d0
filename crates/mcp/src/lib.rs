//! The MCP service: the hub's endpoints as tools for MCP clients, and the OAuth 2.1 authorization server at which
//! people allow these clients to use the hub in their name.

mod access;
mod app;
mod calls;
mod command;
mod health;
mod oauth;
mod server;
mod tools;

pub use app::{App, Deps};
pub use command::main;
pub use server::Transport;
