//! The built program, driven from outside as a person would.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failing test should panic")]

mod ask;
mod commands;
mod doctor_mcp;
mod hub;
mod login;
mod node;
mod oauth;
mod oauth_attacks;
mod oauth_dpop;
mod oauth_github;
mod oauth_journey;
mod oauth_rules;
mod serve;
mod setup;
