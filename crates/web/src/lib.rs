//! How we speak HTTP: errors, extractors, correlation, limits, SSE, API documents, health, graceful serving.
