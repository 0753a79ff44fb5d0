//! The audit log: one row per change, in the transaction of the change, sealed in batches afterwards.
