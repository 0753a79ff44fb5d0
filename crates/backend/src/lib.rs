//! REST API, identity provider, registry.
