//! Dev-only: stub endpoints, load, and bare handlers to compare with.
