-- Indexes for listings of a hundred thousand endpoints: each listing reads the rows that it shows, in their order.

-- What an owner shows, and how much of each kind: the owner's page, the list of owners, the listing by owners.
CREATE INDEX endpoints_listed_owner_idx ON endpoints (user_id, updated_at DESC, id DESC, type)
    WHERE visibility = 'public' AND is_active = TRUE AND admin_disabled = FALSE;
CREATE INDEX endpoints_listed_type_idx ON endpoints (type, updated_at DESC, id DESC)
    WHERE visibility = 'public' AND is_active = TRUE AND admin_disabled = FALSE;
CREATE INDEX endpoints_listed_guest_idx ON endpoints (updated_at DESC, id DESC)
    WHERE visibility = 'public' AND is_active = TRUE AND admin_disabled = FALSE AND policies = '[]';
