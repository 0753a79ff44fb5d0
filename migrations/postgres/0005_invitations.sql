-- Invitations to register. Only the hash of a code is kept; a used up, withdrawn or expired one stays in the list.

CREATE TABLE invitations (
    id TEXT NOT NULL CONSTRAINT invitations_pkey PRIMARY KEY,
    code_hash TEXT NOT NULL CONSTRAINT invitations_code_hash_key UNIQUE,
    email TEXT,
    max_uses BIGINT NOT NULL CONSTRAINT invitations_max_uses_check CHECK (max_uses > 0),
    uses BIGINT NOT NULL DEFAULT 0,
    created_by BIGINT CONSTRAINT invitations_created_by_fkey REFERENCES users (id) ON DELETE SET NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    revoked_at TIMESTAMPTZ
);
CREATE INDEX invitations_created_at_idx ON invitations (created_at DESC, id DESC);
CREATE INDEX invitations_created_by_idx ON invitations (created_by);
