//! A node from outside: over HTTP, with a hub, a model server and folders made for the test.
#![expect(clippy::unwrap_used, reason = "a failing test should panic")]

mod access;
mod debian;
mod fake_hub;
mod fake_model_server;
mod following;
mod model;
mod protocol;
mod publishing;
mod source;
mod world;
