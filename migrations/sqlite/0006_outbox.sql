-- Mail that waits to be delivered. Recipient and text are sealed: they hold addresses and one-time codes.

CREATE TABLE outbox (
    id TEXT NOT NULL CONSTRAINT outbox_pkey PRIMARY KEY,
    sealed BLOB NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at TEXT NOT NULL,
    lease_until TEXT,
    last_error TEXT,
    expires_at TEXT,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX outbox_next_attempt_at_idx ON outbox (next_attempt_at, id);
