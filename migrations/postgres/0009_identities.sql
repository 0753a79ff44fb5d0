-- Accounts of other providers with which somebody signs in here.

CREATE TABLE identities (
    id TEXT NOT NULL CONSTRAINT identities_pkey PRIMARY KEY,
    user_id BIGINT NOT NULL CONSTRAINT identities_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
    provider TEXT NOT NULL CONSTRAINT identities_provider_check CHECK (provider IN ('google', 'github')),
    subject TEXT NOT NULL,
    label TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    last_used_at TIMESTAMPTZ,
    CONSTRAINT identities_provider_subject_key UNIQUE (provider, subject),
    CONSTRAINT identities_user_id_provider_key UNIQUE (user_id, provider)
);
