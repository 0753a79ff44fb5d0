//! Mail that waits for its delivery.
