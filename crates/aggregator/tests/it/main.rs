//! The chat service as its clients see it: real router, real sockets to scripted endpoints.
#![expect(clippy::unwrap_used, reason = "a failing test should panic")]

mod actor;
mod answers;
mod breaker;
mod browser;
mod budget;
mod command;
mod contract;
mod detached;
mod disconnect;
mod events;
mod faults;
mod figures;
mod grpc;
mod health;
mod hostile;
mod hostile_answers;
mod hostile_network;
mod hub;
mod kept;
mod log;
mod log_events;
mod models_in_turn;
mod openai;
mod openai_more;
mod privacy;
mod prompts;
mod protocol;
mod quick;
mod ranking;
mod refusals;
mod sources;
mod standing;
mod upstream;
mod validation;
