//! The only outbound HTTP client: guarded addresses, capped sizes and times, no redirects.
