-- Collectives: data sources of several owners under one name. Tags are shown and searched with the folded text,
-- never joined on, so they are one comma separated column.

CREATE TABLE collectives (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner_id INTEGER NOT NULL CONSTRAINT collectives_owner_id_fkey REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    slug TEXT NOT NULL CONSTRAINT collectives_slug_key UNIQUE,
    description TEXT NOT NULL DEFAULT '',
    about TEXT NOT NULL DEFAULT '',
    auto_approve INTEGER NOT NULL DEFAULT 0,
    icon_url TEXT,
    tags TEXT NOT NULL DEFAULT '',
    verified INTEGER NOT NULL DEFAULT 0,
    -- Name, description and tags in folded form, for the plain filter of the listing.
    listing_text TEXT NOT NULL DEFAULT '',
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX collectives_created_at_idx ON collectives (created_at DESC, id DESC);
CREATE INDEX collectives_owner_id_created_at_idx ON collectives (owner_id, created_at DESC, id DESC);

CREATE TABLE collective_members (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collective_id INTEGER NOT NULL
        CONSTRAINT collective_members_collective_id_fkey REFERENCES collectives (id) ON DELETE CASCADE,
    endpoint_id INTEGER NOT NULL
        CONSTRAINT collective_members_endpoint_id_fkey REFERENCES endpoints (id) ON DELETE CASCADE,
    status TEXT NOT NULL
        CONSTRAINT collective_members_status_check CHECK (status IN ('pending', 'invited', 'approved', 'rejected')),
    requested_at TEXT NOT NULL,
    responded_at TEXT,
    reviewed_by_user_id INTEGER
        CONSTRAINT collective_members_reviewed_by_user_id_fkey REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT collective_members_collective_id_endpoint_id_key UNIQUE (collective_id, endpoint_id)
) STRICT;
CREATE INDEX collective_members_collective_id_status_idx ON collective_members (collective_id, status, id);
CREATE INDEX collective_members_endpoint_id_idx ON collective_members (endpoint_id, status);
CREATE INDEX collective_members_reviewed_by_user_id_idx ON collective_members (reviewed_by_user_id);

CREATE TABLE collective_shared_endpoints (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collective_id INTEGER NOT NULL
        CONSTRAINT collective_shared_endpoints_collective_id_fkey REFERENCES collectives (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    slug TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    CONSTRAINT collective_shared_endpoints_collective_id_slug_key UNIQUE (collective_id, slug)
) STRICT;
CREATE INDEX collective_shared_endpoints_listing_idx
    ON collective_shared_endpoints (collective_id, created_at DESC, id DESC);

CREATE TABLE collective_shared_endpoint_members (
    shared_endpoint_id INTEGER NOT NULL
        CONSTRAINT collective_shared_endpoint_members_shared_endpoint_id_fkey
        REFERENCES collective_shared_endpoints (id) ON DELETE CASCADE,
    endpoint_id INTEGER NOT NULL
        CONSTRAINT collective_shared_endpoint_members_endpoint_id_fkey REFERENCES endpoints (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    CONSTRAINT collective_shared_endpoint_members_key PRIMARY KEY (shared_endpoint_id, endpoint_id)
) STRICT;
CREATE INDEX collective_shared_endpoint_members_endpoint_id_idx ON collective_shared_endpoint_members (endpoint_id);
