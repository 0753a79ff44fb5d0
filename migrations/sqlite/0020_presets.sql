-- A model, data sources and parameters under one name of their owner. The name itself is in published_names, which
-- endpoints and presets share.

CREATE TABLE presets (
    user_id INTEGER NOT NULL CONSTRAINT presets_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    model TEXT NOT NULL,
    -- A JSON list of `owner/slug`.
    sources TEXT NOT NULL DEFAULT '[]',
    system_prompt TEXT,
    top_k INTEGER CONSTRAINT presets_top_k_check CHECK (top_k >= 1),
    max_tokens INTEGER CONSTRAINT presets_max_tokens_check CHECK (max_tokens >= 1),
    temperature REAL,
    similarity_threshold REAL,
    visibility TEXT NOT NULL
        CONSTRAINT presets_visibility_check CHECK (visibility IN ('public', 'private')),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    CONSTRAINT presets_user_id_slug_key PRIMARY KEY (user_id, slug)
) STRICT;
CREATE INDEX presets_visibility_created_at_idx ON presets (visibility, created_at DESC, user_id, slug);
CREATE INDEX presets_user_id_created_at_idx ON presets (user_id, created_at DESC, slug);
