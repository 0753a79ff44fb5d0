//! The figures of this service: what each means, and what counts up and down with a life.
//!
//! Labels are few and fixed. What callers can make up, such as names of endpoints, is in the log and never a label.
//! `docs/operations/metrics.md` explains all of them to operators; a guard compares the two.

use metrics::{Gauge, describe_counter, describe_gauge, describe_histogram};

/// Explains the figures to whoever reads `/metrics`, and shows from the start those that go up and down.
pub(crate) fn describe() {
    describe_chats();
    describe_endpoints();
    describe_losses();
    for gauge in [active_chats("stream"), active_chats("whole"), open_streams(), detached_runs()] {
        gauge.increment(0.0);
    }
}

fn describe_chats() {
    describe_counter!("syfthub_chat_requests_total", "Chats that ended, by outcome.");
    describe_histogram!("syfthub_chat_request_seconds", "Time of a chat from its first to its last step.");
    describe_histogram!("syfthub_chat_stage_seconds", "Time that a chat spent in a stage, however it ended.");
    describe_histogram!(
        "syfthub_chat_first_token_seconds",
        "Time from the beginning of a streamed chat to its first token."
    );
    describe_histogram!(
        "syfthub_chat_tokens_per_second",
        "Speed of streamed answers after their first piece, in tokens per second."
    );
    describe_gauge!("syfthub_chats_active", "Chats that are worked on, by delivery.");
    describe_gauge!("syfthub_sse_streams_active", "Event streams that a client has open.");
    describe_gauge!("syfthub_detached_runs", "Chats with an Idempotency-Key that are kept in this process.");
}

fn describe_endpoints() {
    describe_counter!("syfthub_data_source_queries_total", "Queries to data sources, by status.");
    describe_histogram!("syfthub_data_source_query_seconds", "Time of a query, with repetitions.");
    describe_histogram!(
        "syfthub_data_source_turn_seconds",
        "Time that queries waited for their turn, of those that waited."
    );
    describe_counter!("syfthub_model_queries_total", "Queries to models, by status.");
    describe_histogram!(
        "syfthub_model_query_seconds",
        "Time of a query to a model, to the end of its answer."
    );
    describe_counter!("syfthub_model_fallbacks_total", "Times that the next model was asked.");
    describe_gauge!("syfthub_breakers", "Endpoints that are left alone, by state.");
    describe_counter!("syfthub_breaker_transitions_total", "Changes of state, by the new one.");
    describe_counter!("syfthub_breaker_refusals_total", "Calls that were not made to endpoints left alone.");
    describe_counter!(
        "syfthub_rerank_external_total",
        "Rankings asked of AGGREGATOR_RERANK_URL, by outcome."
    );
}

fn describe_losses() {
    describe_counter!("syfthub_secrets_masked_total", "Secrets masked in documents, by kind.");
    describe_counter!("syfthub_citations_removed_total", "Markers in answers that pointed to no document.");
    describe_counter!("syfthub_answers_refused_total", "Answers of endpoints that found no room in memory.");
    describe_counter!("syfthub_conversation_append_failed_total", "Additions to conversations that failed.");
    describe_counter!("syfthub_usage_dropped_total", "Calls that were left out of the usage.");
}

/// One more for as long as it lives, however that ends.
pub(crate) struct Active(Gauge);

impl Active {
    /// Counts at `gauge`.
    pub(crate) fn at(gauge: Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl std::fmt::Debug for Active {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Active")
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// Chats that are worked on.
pub(crate) fn active_chats(delivery: &'static str) -> Gauge {
    metrics::gauge!("syfthub_chats_active", "delivery" => delivery)
}

/// Event streams that clients read.
pub(crate) fn open_streams() -> Gauge {
    metrics::gauge!("syfthub_sse_streams_active")
}

/// Runs that are kept in this process.
pub(crate) fn detached_runs() -> Gauge {
    metrics::gauge!("syfthub_detached_runs")
}
