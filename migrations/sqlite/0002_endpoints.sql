-- What is published. Tags and contributors are queried, so they have tables; policies and connections are
-- open JSON and stay text, because jsonb would reorder their keys.

-- Every name that an owner has published, whatever stands behind it, so that owner/name has one meaning.
CREATE TABLE published_names (
    owner_id INTEGER NOT NULL CONSTRAINT published_names_owner_id_fkey REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    kind TEXT NOT NULL CONSTRAINT published_names_kind_check CHECK (kind IN ('endpoint', 'preset')),
    CONSTRAINT published_names_owner_id_name_key PRIMARY KEY (owner_id, name)
) STRICT;

CREATE TABLE endpoints (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL CONSTRAINT endpoints_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    slug TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    type TEXT NOT NULL
        CONSTRAINT endpoints_type_check CHECK (type IN ('model', 'data_source', 'model_data_source', 'agent')),
    visibility TEXT NOT NULL
        CONSTRAINT endpoints_visibility_check CHECK (visibility IN ('public', 'private', 'internal')),
    is_active INTEGER NOT NULL DEFAULT 1,
    admin_disabled INTEGER NOT NULL DEFAULT 0,
    archived INTEGER NOT NULL DEFAULT 0,
    consecutive_failure_count INTEGER NOT NULL DEFAULT 0,
    health_status TEXT
        CONSTRAINT endpoints_health_status_check CHECK (health_status IN ('healthy', 'unhealthy')),
    health_checked_at TEXT,
    health_ttl_seconds INTEGER,
    version TEXT NOT NULL DEFAULT '0.1.0',
    readme TEXT NOT NULL DEFAULT '',
    stars_count INTEGER NOT NULL DEFAULT 0 CONSTRAINT endpoints_stars_count_check CHECK (stars_count >= 0),
    policies TEXT NOT NULL DEFAULT '[]',
    connect TEXT NOT NULL DEFAULT '[]',
    rag_file_id TEXT,
    -- Name, description and tags in folded form, for the plain filter of listings.
    listing_text TEXT NOT NULL DEFAULT '',
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    CONSTRAINT endpoints_user_id_slug_key UNIQUE (user_id, slug)
) STRICT;
CREATE INDEX endpoints_listing_idx ON endpoints (visibility, is_active, updated_at DESC, id DESC);
CREATE INDEX endpoints_trending_idx ON endpoints (visibility, is_active, stars_count DESC, updated_at DESC, id DESC);
CREATE INDEX endpoints_user_id_updated_at_idx ON endpoints (user_id, updated_at DESC, id DESC);
CREATE INDEX endpoints_type_idx ON endpoints (type);

CREATE TABLE endpoint_tags (
    endpoint_id INTEGER NOT NULL CONSTRAINT endpoint_tags_endpoint_id_fkey REFERENCES endpoints (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    tag TEXT NOT NULL,
    CONSTRAINT endpoint_tags_endpoint_id_tag_key PRIMARY KEY (endpoint_id, tag)
) STRICT;
CREATE INDEX endpoint_tags_tag_idx ON endpoint_tags (tag);

CREATE TABLE endpoint_contributors (
    endpoint_id INTEGER NOT NULL
        CONSTRAINT endpoint_contributors_endpoint_id_fkey REFERENCES endpoints (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    user_id INTEGER NOT NULL CONSTRAINT endpoint_contributors_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT endpoint_contributors_endpoint_id_user_id_key PRIMARY KEY (endpoint_id, user_id)
) STRICT;
CREATE INDEX endpoint_contributors_user_id_idx ON endpoint_contributors (user_id);

CREATE TABLE endpoint_stars (
    endpoint_id INTEGER NOT NULL CONSTRAINT endpoint_stars_endpoint_id_fkey REFERENCES endpoints (id) ON DELETE CASCADE,
    user_id INTEGER NOT NULL CONSTRAINT endpoint_stars_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
    starred_at TEXT NOT NULL,
    CONSTRAINT endpoint_stars_endpoint_id_user_id_key PRIMARY KEY (endpoint_id, user_id)
) STRICT;
CREATE INDEX endpoint_stars_user_id_idx ON endpoint_stars (user_id);
CREATE INDEX endpoint_stars_starred_at_idx ON endpoint_stars (starred_at);
