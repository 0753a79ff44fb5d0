-- Use of endpoints through the chat service, summed up by the hour.

CREATE TABLE usage_hours (
    hour TIMESTAMPTZ NOT NULL,
    owner_id BIGINT NOT NULL CONSTRAINT usage_hours_owner_id_fkey REFERENCES users (id) ON DELETE CASCADE,
    -- Not the endpoint's id: an owner who replaces all endpoints keeps their history.
    slug TEXT NOT NULL,
    -- 0 for guests. No reference: the number of an account that is gone leads nowhere and is never used again.
    caller_id BIGINT NOT NULL,
    part TEXT NOT NULL CONSTRAINT usage_hours_part_check CHECK (part IN ('model', 'source')),
    outcome TEXT NOT NULL CONSTRAINT usage_hours_outcome_check CHECK (outcome IN ('success', 'error', 'timeout',
        'payment_failed', 'access_denied', 'rate_limited', 'policy_violation', 'cancelled')),
    requests BIGINT NOT NULL,
    prompt_tokens BIGINT NOT NULL,
    completion_tokens BIGINT NOT NULL,
    documents BIGINT NOT NULL,
    latency_ms BIGINT NOT NULL,
    longest_ms BIGINT NOT NULL,
    CONSTRAINT usage_hours_hour_owner_id_slug_caller_id_part_outcome_key
        PRIMARY KEY (hour, owner_id, slug, caller_id, part, outcome)
);
CREATE INDEX usage_hours_owner_id_hour_idx ON usage_hours (owner_id, hour);
CREATE INDEX usage_hours_caller_id_hour_idx ON usage_hours (caller_id, hour);

-- Batches that were recorded, so that one that is sent twice counts once.
CREATE TABLE usage_batches (
    id TEXT NOT NULL CONSTRAINT usage_batches_pkey PRIMARY KEY,
    recorded_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX usage_batches_recorded_at_idx ON usage_batches (recorded_at);
