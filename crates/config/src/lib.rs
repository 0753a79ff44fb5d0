//! Settings: loading, validation, description, and generation of .env.example and docs/CONFIG.md.
