//! One client type for in-process and network gRPC calls, with the same deadlines, limits and identity on both.
