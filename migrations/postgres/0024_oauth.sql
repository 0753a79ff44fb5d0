-- The authorization server of OAuth 2.1: who may ask, who agreed to what, and what was issued for it. Secrets, codes and
-- tokens are kept as SHA-256 only.

CREATE TABLE oauth_clients (
    client_id TEXT NOT NULL CONSTRAINT oauth_clients_client_id_key PRIMARY KEY,
    kind TEXT NOT NULL CONSTRAINT oauth_clients_kind_check CHECK (kind IN ('registered', 'static')),
    -- RFC 7591, as it was accepted.
    metadata TEXT NOT NULL,
    secret_hash TEXT,
    -- Of the registration access token (RFC 7592).
    registration_token_hash TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    last_used_at TIMESTAMPTZ NOT NULL,
    -- Unused registered clients end; null for those of the operator.
    expires_at TIMESTAMPTZ
);
CREATE INDEX oauth_clients_created_at_idx ON oauth_clients (created_at DESC, client_id DESC);
CREATE INDEX oauth_clients_expires_at_idx ON oauth_clients (expires_at);

-- Clients that describe themselves by a document at their URL are not stored, so a client id is only a text here.
CREATE TABLE oauth_consents (
    user_id BIGINT NOT NULL CONSTRAINT oauth_consents_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
    client_id TEXT NOT NULL,
    resource TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT oauth_consents_user_id_client_id_resource_key PRIMARY KEY (user_id, client_id, resource)
);
CREATE INDEX oauth_consents_client_id_idx ON oauth_consents (client_id);
CREATE INDEX oauth_consents_updated_at_idx ON oauth_consents (updated_at);

-- One authorization: everything that is issued for it names it and ends with it.
CREATE TABLE oauth_grants (
    id TEXT NOT NULL CONSTRAINT oauth_grants_pkey PRIMARY KEY,
    -- Null when a client acts for itself.
    user_id BIGINT CONSTRAINT oauth_grants_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
    client_id TEXT NOT NULL,
    client_name TEXT NOT NULL,
    resource TEXT NOT NULL,
    scopes TEXT NOT NULL,
    -- The account's epoch when it began; a grant of an earlier epoch is over.
    token_epoch BIGINT NOT NULL,
    dpop_jkt TEXT,
    auth_time TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL,
    last_used_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    revoked_at TIMESTAMPTZ
);
CREATE INDEX oauth_grants_user_id_last_used_at_idx ON oauth_grants (user_id, last_used_at DESC, id DESC);
CREATE INDEX oauth_grants_client_id_idx ON oauth_grants (client_id);
CREATE INDEX oauth_grants_expires_at_idx ON oauth_grants (expires_at);

CREATE TABLE oauth_codes (
    code_hash TEXT NOT NULL CONSTRAINT oauth_codes_pkey PRIMARY KEY,
    grant_id TEXT NOT NULL CONSTRAINT oauth_codes_grant_id_fkey REFERENCES oauth_grants (id) ON DELETE CASCADE,
    -- One code for each authorization request.
    request_id TEXT NOT NULL CONSTRAINT oauth_codes_request_id_key UNIQUE,
    redirect_uri TEXT NOT NULL,
    code_challenge TEXT NOT NULL,
    nonce TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    used_at TIMESTAMPTZ
);
CREATE INDEX oauth_codes_grant_id_idx ON oauth_codes (grant_id);
CREATE INDEX oauth_codes_expires_at_idx ON oauth_codes (expires_at);

CREATE TABLE oauth_refresh_tokens (
    token_hash TEXT NOT NULL CONSTRAINT oauth_refresh_tokens_pkey PRIMARY KEY,
    grant_id TEXT NOT NULL
        CONSTRAINT oauth_refresh_tokens_grant_id_fkey REFERENCES oauth_grants (id) ON DELETE CASCADE,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    consumed_at TIMESTAMPTZ
);
CREATE INDEX oauth_refresh_tokens_grant_id_idx ON oauth_refresh_tokens (grant_id);
CREATE INDEX oauth_refresh_tokens_expires_at_idx ON oauth_refresh_tokens (expires_at);

-- Requests of devices without a browser (RFC 8628).
CREATE TABLE oauth_devices (
    device_code_hash TEXT NOT NULL CONSTRAINT oauth_devices_pkey PRIMARY KEY,
    user_code TEXT NOT NULL CONSTRAINT oauth_devices_user_code_key UNIQUE,
    client_id TEXT NOT NULL,
    client_name TEXT NOT NULL,
    resource TEXT NOT NULL,
    scopes TEXT NOT NULL,
    dpop_jkt TEXT,
    state TEXT NOT NULL
        CONSTRAINT oauth_devices_state_check CHECK (state IN ('pending', 'approved', 'denied', 'issued')),
    -- Of the one who agreed.
    grant_id TEXT CONSTRAINT oauth_devices_grant_id_fkey REFERENCES oauth_grants (id) ON DELETE CASCADE,
    interval_seconds BIGINT NOT NULL,
    last_polled_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX oauth_devices_grant_id_idx ON oauth_devices (grant_id);
CREATE INDEX oauth_devices_client_id_idx ON oauth_devices (client_id);
CREATE INDEX oauth_devices_expires_at_idx ON oauth_devices (expires_at);
