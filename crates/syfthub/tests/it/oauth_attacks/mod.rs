//! What somebody would try against the authorization server and the MCP endpoint, one file for each kind of attack.

mod addresses;
mod codes;
mod pages;
mod redirects;
mod tokens;
