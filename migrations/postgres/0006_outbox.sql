-- Mail that waits to be delivered. Recipient and text are sealed: they hold addresses and one-time codes.

CREATE TABLE outbox (
    id TEXT NOT NULL CONSTRAINT outbox_pkey PRIMARY KEY,
    sealed BYTEA NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    next_attempt_at TIMESTAMPTZ NOT NULL,
    lease_until TIMESTAMPTZ,
    last_error TEXT,
    expires_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX outbox_next_attempt_at_idx ON outbox (next_attempt_at, id);
