-- What the chat services say of endpoints that keep failing, each for itself and for a short while.

CREATE TABLE endpoint_breakers (
    endpoint_id BIGINT NOT NULL
        CONSTRAINT endpoint_breakers_endpoint_id_fkey REFERENCES endpoints (id) ON DELETE CASCADE,
    -- The process that says so.
    reporter TEXT NOT NULL,
    state TEXT NOT NULL CONSTRAINT endpoint_breakers_state_check CHECK (state IN ('open', 'half_open')),
    failures BIGINT NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT endpoint_breakers_endpoint_id_reporter_key PRIMARY KEY (endpoint_id, reporter)
);
CREATE INDEX endpoint_breakers_reporter_idx ON endpoint_breakers (reporter);
CREATE INDEX endpoint_breakers_expires_at_idx ON endpoint_breakers (expires_at);
