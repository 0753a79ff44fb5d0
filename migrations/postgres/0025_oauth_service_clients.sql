-- Clients that sign in by themselves, and grants that follow from others.

-- The account that a client acts as with its own credentials (RFC 6749, section 4.4); only clients of the operator
-- have one.
ALTER TABLE oauth_clients ADD COLUMN user_id BIGINT
    CONSTRAINT oauth_clients_user_id_fkey REFERENCES users (id) ON DELETE SET NULL;
CREATE INDEX oauth_clients_user_id_idx ON oauth_clients (user_id);

-- The grant whose token was exchanged for this one (RFC 8693): it ends with it.
ALTER TABLE oauth_grants ADD COLUMN parent_id TEXT
    CONSTRAINT oauth_grants_parent_id_fkey REFERENCES oauth_grants (id) ON DELETE CASCADE;
CREATE INDEX oauth_grants_parent_id_idx ON oauth_grants (parent_id);
