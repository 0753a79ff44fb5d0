-- Use of endpoints through the chat service, summed up by the hour.

CREATE TABLE usage_hours (
    hour TEXT NOT NULL,
    owner_id INTEGER NOT NULL CONSTRAINT usage_hours_owner_id_fkey REFERENCES users (id) ON DELETE CASCADE,
    -- Not the endpoint's id: an owner who replaces all endpoints keeps their history.
    slug TEXT NOT NULL,
    -- 0 for guests. No reference: the number of an account that is gone leads nowhere and is never used again.
    caller_id INTEGER NOT NULL,
    part TEXT NOT NULL CONSTRAINT usage_hours_part_check CHECK (part IN ('model', 'source')),
    outcome TEXT NOT NULL CONSTRAINT usage_hours_outcome_check CHECK (outcome IN ('success', 'error', 'timeout',
        'payment_failed', 'access_denied', 'rate_limited', 'policy_violation', 'cancelled')),
    requests INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    documents INTEGER NOT NULL,
    latency_ms INTEGER NOT NULL,
    longest_ms INTEGER NOT NULL,
    CONSTRAINT usage_hours_hour_owner_id_slug_caller_id_part_outcome_key
        PRIMARY KEY (hour, owner_id, slug, caller_id, part, outcome)
) STRICT;
CREATE INDEX usage_hours_owner_id_hour_idx ON usage_hours (owner_id, hour);
CREATE INDEX usage_hours_caller_id_hour_idx ON usage_hours (caller_id, hour);

-- Batches that were recorded, so that one that is sent twice counts once.
CREATE TABLE usage_batches (
    id TEXT NOT NULL CONSTRAINT usage_batches_pkey PRIMARY KEY,
    recorded_at TEXT NOT NULL
) STRICT;
CREATE INDEX usage_batches_recorded_at_idx ON usage_batches (recorded_at);
