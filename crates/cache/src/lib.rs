//! Values with a time to live, counters, limits, locks, one-shot values and messages, in memory or in Redis.
