//! The built program, driven from outside as a person would.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failing test should panic")]

mod ask;
mod commands;
mod doctor_mcp;
mod hub;
mod login;
mod node;
mod oauth;
<<<<<<< HEAD
mod oauth_attacks;
mod oauth_journey;
mod oauth_rules;
=======
mod oauth_github;
>>>>>>> e7e3b4b (Let devices without a browser in, and the command line as one of them)
mod serve;
mod setup;
