//! Browser sessions, and what a user sees about the sessions of other clients.
