-- What the chat services say of endpoints that keep failing, each for itself and for a short while.

CREATE TABLE endpoint_breakers (
    endpoint_id INTEGER NOT NULL
        CONSTRAINT endpoint_breakers_endpoint_id_fkey REFERENCES endpoints (id) ON DELETE CASCADE,
    -- The process that says so.
    reporter TEXT NOT NULL,
    state TEXT NOT NULL CONSTRAINT endpoint_breakers_state_check CHECK (state IN ('open', 'half_open')),
    failures INTEGER NOT NULL,
    expires_at TEXT NOT NULL,
    CONSTRAINT endpoint_breakers_endpoint_id_reporter_key PRIMARY KEY (endpoint_id, reporter)
) STRICT;
CREATE INDEX endpoint_breakers_reporter_idx ON endpoint_breakers (reporter);
CREATE INDEX endpoint_breakers_expires_at_idx ON endpoint_breakers (expires_at);
