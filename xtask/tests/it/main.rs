//! The commands, from outside.
#![expect(clippy::unwrap_used, reason = "a failing test should panic")]

mod interrupt;
