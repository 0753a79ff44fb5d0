-- Keys at rest (sealed before they come here) and small facts of the hub.

CREATE TABLE signing_keys (
    kid TEXT NOT NULL CONSTRAINT signing_keys_pkey PRIMARY KEY,
    purpose TEXT NOT NULL CONSTRAINT signing_keys_purpose_check CHECK (purpose IN ('satellite', 'mcp')),
    private_sealed BYTEA NOT NULL,
    public_pem TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    activated_at TIMESTAMPTZ,
    retired_at TIMESTAMPTZ,
    expires_at TIMESTAMPTZ
);
CREATE INDEX signing_keys_purpose_idx ON signing_keys (purpose);

CREATE TABLE sealing_keys (
    version BIGINT NOT NULL CONSTRAINT sealing_keys_pkey PRIMARY KEY,
    wrapped BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    retired_at TIMESTAMPTZ
);

CREATE TABLE settings (
    key TEXT NOT NULL CONSTRAINT settings_pkey PRIMARY KEY,
    value TEXT NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
