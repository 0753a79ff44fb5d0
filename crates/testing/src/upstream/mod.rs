//! Fake endpoints: servers on port 0 that speak the query protocol of published endpoints, do what a test
//! scripted, and keep what they were asked.

mod behaviour;
mod model;
mod server;
mod source;

pub use behaviour::Behaviour;
pub use model::{FakeModel, StreamForm};
pub use server::Recorded;
pub use source::{Document, FakeSource};
