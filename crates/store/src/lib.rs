//! All SQL of the product, on PostgreSQL and SQLite.
