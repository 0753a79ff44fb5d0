//! `directory.v1`: what is published, for our own services, and how it has done lately.

pub(crate) mod grpc;
pub(crate) mod standing;
