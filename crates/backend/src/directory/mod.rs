//! `directory.v1`: what is published, for our own services.

pub(crate) mod grpc;
