-- Accounts, sign-ins and tokens.

CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    username TEXT NOT NULL CONSTRAINT users_username_key UNIQUE,
    email TEXT NOT NULL CONSTRAINT users_email_key UNIQUE,
    full_name TEXT NOT NULL,
    avatar_url TEXT,
    role TEXT NOT NULL DEFAULT 'user' CONSTRAINT users_role_check CHECK (role IN ('admin', 'user', 'guest')),
    password_hash TEXT,
    is_active INTEGER NOT NULL DEFAULT 1,
    is_email_verified INTEGER NOT NULL DEFAULT 0,
    auth_provider TEXT NOT NULL DEFAULT 'local'
        CONSTRAINT users_auth_provider_check CHECK (auth_provider IN ('local', 'google')),
    google_id TEXT CONSTRAINT users_google_id_key UNIQUE,
    wallet_address TEXT,
    wallet_private_key TEXT,
    domain TEXT,
    aggregator_url TEXT,
    bio TEXT,
    is_email_public INTEGER NOT NULL DEFAULT 0,
    last_login_at TEXT,
    encryption_public_key TEXT,
    heartbeat_expires_at TEXT,
    token_epoch INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX users_role_is_active_idx ON users (role, is_active);
CREATE INDEX users_last_login_at_idx ON users (last_login_at);

CREATE TABLE refresh_families (
    id TEXT NOT NULL CONSTRAINT refresh_families_pkey PRIMARY KEY,
    user_id INTEGER NOT NULL CONSTRAINT refresh_families_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    revoked_at TEXT
) STRICT;
CREATE INDEX refresh_families_user_id_idx ON refresh_families (user_id);
CREATE INDEX refresh_families_expires_at_idx ON refresh_families (expires_at);

CREATE TABLE refresh_tokens (
    jti TEXT NOT NULL CONSTRAINT refresh_tokens_pkey PRIMARY KEY,
    family_id TEXT NOT NULL
        CONSTRAINT refresh_tokens_family_id_fkey REFERENCES refresh_families (id) ON DELETE CASCADE,
    issued_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    consumed_at TEXT
) STRICT;
CREATE INDEX refresh_tokens_family_id_idx ON refresh_tokens (family_id);
CREATE INDEX refresh_tokens_expires_at_idx ON refresh_tokens (expires_at);

CREATE TABLE revoked_tokens (
    jti TEXT NOT NULL CONSTRAINT revoked_tokens_pkey PRIMARY KEY,
    revoked_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
) STRICT;
CREATE INDEX revoked_tokens_expires_at_idx ON revoked_tokens (expires_at);

CREATE TABLE api_tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL CONSTRAINT api_tokens_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    token_prefix TEXT NOT NULL,
    token_hash TEXT NOT NULL CONSTRAINT api_tokens_token_hash_key UNIQUE,
    scopes TEXT NOT NULL,
    expires_at TEXT,
    last_used_at TEXT,
    last_used_ip TEXT,
    is_active INTEGER NOT NULL DEFAULT 1,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX api_tokens_user_id_is_active_idx ON api_tokens (user_id, is_active);
CREATE INDEX api_tokens_expires_at_idx ON api_tokens (expires_at);
