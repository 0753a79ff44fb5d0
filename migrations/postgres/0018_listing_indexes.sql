-- Indexes for listings of a hundred thousand endpoints: each listing reads the rows that it shows, in their order.

-- What an owner shows, and how much of each kind: the owner's page, the list of owners, the listing by owners.
CREATE INDEX endpoints_listed_owner_idx ON endpoints (user_id, updated_at DESC, id DESC, type)
    WHERE visibility = 'public' AND is_active = TRUE AND admin_disabled = FALSE;
CREATE INDEX endpoints_listed_type_idx ON endpoints (type, updated_at DESC, id DESC)
    WHERE visibility = 'public' AND is_active = TRUE AND admin_disabled = FALSE;
CREATE INDEX endpoints_listed_guest_idx ON endpoints (updated_at DESC, id DESC)
    WHERE visibility = 'public' AND is_active = TRUE AND admin_disabled = FALSE AND policies = '[]';

-- The text filter of listings is quick with trigrams and works without them.
DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    CREATE INDEX endpoints_listing_text_idx ON endpoints USING GIN (listing_text gin_trgm_ops);
    CREATE INDEX users_username_text_idx ON users USING GIN (username gin_trgm_ops);
EXCEPTION WHEN OTHERS THEN
    RAISE NOTICE 'pg_trgm is not available here: %', SQLERRM;
END
$$;
