//! `/q`: a question in the address bar, or in one line of a shell.

mod page;
mod query;
pub(crate) mod routes;
