//! The seam suite: every case runs over the in-process transport and over TCP, and must come out the same.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failing test should panic")]

mod faults;
mod fixture;
mod identity;
mod seam;
mod streams;
