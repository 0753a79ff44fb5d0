//! The MCP service: the hub's endpoints as tools for MCP clients. Later also the OAuth 2.1 authorization
//! server that these clients log in at.

mod access;
mod app;
mod calls;
mod command;
mod health;
mod server;
mod tools;

pub use app::{App, Deps};
pub use command::main;
pub use server::Transport;
