-- What a user sees about their sessions, the cookie sessions of browsers, and where somebody has signed in from.

ALTER TABLE refresh_families ADD COLUMN device TEXT;
ALTER TABLE refresh_families ADD COLUMN address TEXT;
ALTER TABLE refresh_families ADD COLUMN last_used_at TIMESTAMPTZ;

-- The value of the cookie is never stored, only its SHA-256.
CREATE TABLE sessions (
    id TEXT NOT NULL CONSTRAINT sessions_pkey PRIMARY KEY,
    user_id BIGINT NOT NULL CONSTRAINT sessions_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
    token_hash TEXT NOT NULL CONSTRAINT sessions_token_hash_key UNIQUE,
    token_epoch BIGINT NOT NULL,
    device TEXT,
    address TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    last_used_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    revoked_at TIMESTAMPTZ
);
CREATE INDEX sessions_user_id_idx ON sessions (user_id);
CREATE INDEX sessions_expires_at_idx ON sessions (expires_at);

-- Networks from which an account was signed in to. They keep their own allowance of attempts, so that guesses from
-- elsewhere cannot lock the owner out.
CREATE TABLE known_addresses (
    user_id BIGINT NOT NULL CONSTRAINT known_addresses_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
    address TEXT NOT NULL,
    last_seen_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT known_addresses_user_id_address_key PRIMARY KEY (user_id, address)
);
