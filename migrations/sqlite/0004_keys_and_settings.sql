-- Keys at rest (sealed before they come here) and small facts of the hub.

CREATE TABLE signing_keys (
    kid TEXT NOT NULL CONSTRAINT signing_keys_pkey PRIMARY KEY,
    purpose TEXT NOT NULL CONSTRAINT signing_keys_purpose_check CHECK (purpose IN ('satellite', 'mcp')),
    private_sealed BLOB NOT NULL,
    public_pem TEXT NOT NULL,
    created_at TEXT NOT NULL,
    activated_at TEXT,
    retired_at TEXT,
    expires_at TEXT
) STRICT;
CREATE INDEX signing_keys_purpose_idx ON signing_keys (purpose);

CREATE TABLE sealing_keys (
    version INTEGER NOT NULL CONSTRAINT sealing_keys_pkey PRIMARY KEY,
    wrapped BLOB NOT NULL,
    created_at TEXT NOT NULL,
    retired_at TEXT
) STRICT;

CREATE TABLE settings (
    key TEXT NOT NULL CONSTRAINT settings_pkey PRIMARY KEY,
    value TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
