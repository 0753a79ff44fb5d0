//! Faults of the hub and of its clients.
