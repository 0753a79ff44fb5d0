-- High-rate facts: sign-ins, refreshes, use of tokens. Written in batches, kept for a while, never sealed.

CREATE TABLE activity (
    id TEXT NOT NULL CONSTRAINT activity_pkey PRIMARY KEY,
    occurred_at TEXT NOT NULL,
    user_id INTEGER CONSTRAINT activity_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    address TEXT,
    correlation_id TEXT,
    detail TEXT
) STRICT;
CREATE INDEX activity_user_id_idx ON activity (user_id, occurred_at, id);
CREATE INDEX activity_occurred_at_idx ON activity (occurred_at, id);
CREATE INDEX activity_kind_idx ON activity (kind, occurred_at, id);
