//! Structured logs, correlation ids, log files, OTLP traces, metrics and redaction.
